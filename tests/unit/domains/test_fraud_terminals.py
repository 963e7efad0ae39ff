"""Terminals: values equal a count over all visits, in any order, and no label before it arrives."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from stormwatch.domains.fraud.event import Details, Label, Transaction, digest
from stormwatch.domains.fraud.terminals import (
    FEATURES,
    HOUR,
    LONG_AGO_D,
    LONG_AGO_H,
    MOST_LABELS,
    NAMES,
    UNKNOWN,
    TerminalState,
    learn,
    new_state,
    values,
    visit_of,
)

DAY = 24 * HOUR
START = 20_000 * DAY


def payment(time: int, number: int = 0, amount: int = 5_000) -> Transaction:
    return Transaction(f"t-{number}", "c", "pos", time, amount, "EUR")


def label(of: Transaction, arrival: int, kind: str = "fraud") -> Transaction:
    told = Label(of.id, of.time, kind)
    return Transaction(f"l-{of.id}-{kind}", "c", "pos", arrival, of.amount, "EUR", label=told)


def state_of(events: Sequence[Transaction]) -> TerminalState:
    state = new_state()
    for event in events:
        visit = visit_of(event)
        assert visit is not None
        learn(state, visit)
    return state


def counted(events: Sequence[Transaction], time: int) -> dict[str, float]:
    """The features by their definitions, over all events at once."""
    now = time // HOUR
    closed = now - 7 * 24 - 1
    said: dict[str, Transaction] = {}
    for event in sorted(events, key=lambda e: e.time):
        if event.label is not None and event.time // HOUR < now:
            said[event.label.payment] = event
    frauds = {one.label.payment: one for one in said.values() if one.label and one.label.is_fraud}
    payments = [e for e in events if e.label is None]
    made = {e.id: e.time // HOUR for e in payments}
    row: dict[str, float] = {}
    for days in (1, 7, 30):
        inside = [e for e in payments if closed - 24 * days < e.time // HOUR <= closed]
        bad = [e for e in inside if e.id in frauds]
        row[f"terminal_count_{days}d"] = len(inside)
        row[f"terminal_risk_{days}d"] = len(bad) / len(inside) if inside else 0
    recent = [f for one, f in frauds.items() if made[one] > now - 35 * 24]
    row["terminal_frauds"] = len(recent)
    row["terminal_fraud_age_h"] = now - max(made[one] for one in frauds) if frauds else LONG_AGO_H
    row["terminal_frauds_small"] = sum(f.amount <= 22_000 for f in recent)
    hours = sorted({hour for hour in made.values() if hour <= closed}, reverse=True)
    run, first = 0, 0
    for hour in hours:
        if any(made[e.id] == hour and e.id not in frauds for e in payments):
            break
        run, first = run + list(made.values()).count(hour), hour
    row["terminal_run"] = run
    row["terminal_run_days"] = now // 24 - first // 24 if run else LONG_AGO_D
    order = {one: (made[one], said[one].time, digest(one)) for one in frauds}
    last = max(frauds, key=lambda one: order[one], default="")
    row["terminal_fraud_amount"] = frauds[last].amount if frauds else 0
    row["terminal_fraud_least"] = min((f.amount for f in frauds.values()), default=0)
    newest = made[last] if frauds else closed
    row["terminal_genuine_since"] = sum(newest < hour <= closed for hour in made.values())
    return row


def history(seed: int, days: int = 36) -> list[Transaction]:
    """Payments of a terminal that is bad for a while, with labels of any delay, some taken back."""
    rng = random.Random(seed)
    events = []
    for number in range(rng.randrange(20, 90)):
        made = payment(START + rng.randrange(days * DAY), number, rng.choice((900, 30_000)))
        events.append(made)
        bad = START + 10 * DAY < made.time < START + 25 * DAY
        if rng.random() < (0.8 if bad else 0.05):
            arrival = made.time + rng.choice((HOUR, 7 * DAY, 10 * DAY))
            events.append(label(made, arrival, rng.choice(("fraud", "chargeback"))))
            if rng.random() < 0.1:
                events.append(label(made, arrival + DAY, "cleared"))
    return events


@pytest.mark.parametrize("seed", range(20))
def test_values_are_what_a_count_over_all_events_gives(seed: int) -> None:
    events = history(seed)
    state = state_of(events)
    for time in range(START + 35 * DAY, START + 37 * DAY, 5 * HOUR):
        got = dict(zip(NAMES, values(state, payment(time)), strict=True))
        assert got == pytest.approx(counted(events, time), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_visits_leaves_no_trace(seed: int) -> None:
    events = history(seed, 60)
    once = msgspec.msgpack.encode(state_of(events))
    for again in range(5):
        random.Random(again).shuffle(events)
        assert msgspec.msgpack.encode(state_of(events)) == once


def test_a_label_told_twice_counts_once() -> None:
    made = payment(START)
    told = label(made, START + DAY)
    assert state_of([made, told, told]) == state_of([made, told])


@pytest.mark.parametrize("seed", range(5))
def test_no_label_counts_before_the_hour_after_its_arrival(seed: int) -> None:
    events = history(seed)
    for time in range(START + 12 * DAY, START + 37 * DAY, 31 * HOUR):
        known = [e for e in events if e.label is None or e.time // HOUR < time // HOUR]
        asked = payment(time)
        assert values(state_of(events), asked) == values(state_of(known), asked)


def test_labels_of_other_payments_tell_nothing() -> None:
    """Shuffled labels: who is told at random of frauds elsewhere is told nothing of these."""
    made = [payment(START + n * DAY, n) for n in range(20)]
    right = [label(one, one.time + 7 * DAY) for one in made[10:]]
    asked = payment(START + 28 * DAY)
    share = NAMES.index("terminal_risk_7d")
    assert values(state_of([*made, *right]), asked)[share] > 0
    moved = [
        msgspec.structs.replace(one, label=Label(f"x-{n}", START - 90 * DAY, "fraud"))
        for n, one in enumerate(right)
    ]
    assert values(state_of([*made, *moved]), asked) == values(state_of(made), asked)


def test_a_refund_is_no_visit_and_an_unknown_terminal_has_the_defaults() -> None:
    refund = msgspec.structs.replace(payment(START), more=Details(kind="refund"))
    assert visit_of(refund) is None
    assert values(None, payment(START)) == values(new_state(), payment(START)) == UNKNOWN
    assert len(UNKNOWN) == len(FEATURES)


def test_a_state_is_bounded() -> None:
    state = new_state()
    for n in range(60 * 24):
        one = payment(START + n * HOUR, n)
        learn(state, visit_of(one))  # type: ignore[arg-type]
        learn(state, visit_of(label(one, one.time + DAY)))  # type: ignore[arg-type]
    assert len(state.labels) == MOST_LABELS
    assert len(msgspec.msgpack.encode(state)) < 17_000
