"""What a customer usually spends: as over the whole history; labels in time."""

import random
from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import msgspec
import pytest

from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Label, Transaction
from stormwatch.domains.fraud.features import BY_SIMULATOR, FEATURE_NAMES, FEATURES, WINDOWS
from stormwatch.domains.fraud.habits import DOUBTS, LABELS, NAMES
from stormwatch.domains.fraud.state import CustomerState, new_state
from stormwatch.domains.fraud.terminals import UNKNOWN

HOUR, DAY = 3_600_000, 86_400_000
START = 6_000 * 3 * DAY
FRAUD = Fraud(model_folder=None).by_rules()


def payment(time: int, number: int, amount: int = 2_000, country: str = "") -> Transaction:
    return Transaction(f"t-{number}", "c", "pos", time, amount, "EUR", country=country)


def label(of: Transaction, arrival: int, kind: str = "fraud") -> Transaction:
    told = Label(of.id, of.time, kind)
    return Transaction(f"l-{of.id}-{kind}", "c", "pos", arrival, of.amount, "EUR", label=told)


def history(seed: int) -> list[Transaction]:
    """Events in the order of their times: payments, some of them large, and labels of any delay."""
    rng = random.Random(seed)
    time, events = START + rng.randrange(DAY), list[Transaction]()
    for number in range(rng.randrange(30, 120)):
        time += rng.choice((HOUR // 2, 9 * HOUR, 30 * HOUR, 5 * DAY, 40 * DAY))
        amount = rng.choice((1_500, 2_000, 2_500, 4_000, 12_000))
        events.append(payment(time, number, amount, rng.choice(("", "BE", "FR"))))
        if rng.random() < 0.15:
            arrival = time + rng.choice((HOUR, 7 * DAY))
            events.append(label(events[-1], arrival, rng.choice(("fraud", "cleared"))))
    return sorted(events, key=lambda event: event.time)


class Learned(NamedTuple):
    event: Transaction
    doubtful: bool


def compared(amount: int, amounts: Sequence[int]) -> tuple[float, float, float, float]:
    if not amounts:
        return 0, 0, 1, 0
    mean = sum(amounts) / len(amounts)
    if len(amounts) < 3:
        return mean, 0, amount / mean, 0
    std = sqrt(sum((a - mean) ** 2 for a in amounts) / (len(amounts) - 1))
    return mean, std, amount / mean, (amount - mean) / max(std, mean / 10, 100)


def counted(
    past: Sequence[Learned], told: Sequence[Transaction], event: Transaction
) -> list[float]:
    """The features by their definitions, over the whole history; and whether it is doubtful."""
    bucket = event.time // (3 * DAY)
    known = {one.label.payment: one.label for one in told if one.label and one.time <= event.time}
    window = [one for one in past if one.event.time // (3 * DAY) > bucket - 10]
    settled = event.time - 14 * DAY
    usual = [one.event for one in window if not (one.doubtful and one.event.time > settled)]
    clean = [e for e in usual if not (e.id in known and known[e.id].is_fraud)]
    doubts = [one.event for one in past if one.doubtful][-DOUBTS:]
    before = [one.event.country for one in past if one.event.country]
    first = past[0].event.time if past else event.time
    _, _, ratio, z = compared(event.amount, [e.amount for e in usual])
    return [
        min(30, (event.time - first) // HOUR / 24),
        int(event.time // HOUR % 24 < 7),
        len(clean),
        *compared(event.amount, [e.amount for e in clean]),
        max((one.event.amount for one in window), default=0),
        sum(e.time > event.time - 14 * DAY and e.id not in known for e in doubts),
        sum(one.is_fraud and one.payment_time > event.time - 21 * DAY for one in known.values()),
        int(bool(event.country and before and before[-1] != event.country)),
        len(usual) >= 5 and ratio >= 2.5 and z >= 2.5,
    ]


def own(state: CustomerState, event: Transaction) -> list[float]:
    row = dict(zip(FEATURE_NAMES, FRAUD.advance(state, event)[0], strict=True))
    return [row[name] for name in NAMES]


@pytest.mark.parametrize("seed", range(25))
def test_features_equal_a_computation_over_the_whole_history(seed: int) -> None:
    state, past, told = new_state(), list[Learned](), list[Transaction]()
    for event in history(seed):
        if event.label is not None:
            FRAUD.advance(state, event)
            told = [*told, event][-LABELS:]
            continue
        *wanted, doubtful = counted(past, told, event)
        assert own(state, event) == pytest.approx(wanted, abs=1e-9)
        past.append(Learned(event, bool(doubtful)))


@pytest.mark.parametrize("seed", range(5))
def test_no_label_counts_before_it_arrives_and_its_order_leaves_no_trace(seed: int) -> None:
    """All labels first, though they arrive later: the payments are measured as in their order."""
    events = history(seed)[:60]
    in_order, early = new_state(), new_state()
    labels = [event for event in events if event.label is not None][-LABELS:]
    for event in reversed(labels):
        FRAUD.advance(early, event)
    for event in events:
        row = FRAUD.advance(in_order, event)
        if event.label is None:
            assert FRAUD.advance(early, event) == row
    assert msgspec.msgpack.encode(early) == msgspec.msgpack.encode(in_order)


@pytest.mark.parametrize("first", ["fraud", "cleared"])
@pytest.mark.parametrize("turned", [False, True])
def test_of_labels_that_contradict_the_newest_by_arrival_counts_and_both_are_kept(
    first: str, turned: bool
) -> None:
    """Whichever comes first in its log, and no sooner than it arrives."""
    state = new_state()
    made = [payment(START + number * DAY, number) for number in range(5)]
    for event in made:
        FRAUD.advance(state, event)
    second = "cleared" if first == "fraud" else "fraud"
    told = [label(made[2], START + 8 * DAY, first), label(made[2], START + 10 * DAY, second)]
    rows = [FRAUD.advance(state, each) for each in (reversed(told) if turned else told)]
    verdicts = FRAUD.decide(told, [row for row, _ in rows], [carry for _, carry in rows])
    assert [verdict.outcome for verdict in verdicts] == ["labelled", "labelled"]
    assert [verdict.reasons[0].code for verdict in verdicts] == [first, second]
    at = NAMES.index("frauds_21d")
    between = own(state, payment(START + 9 * DAY, 90))[at]
    after = own(state, payment(START + 11 * DAY, 91))[at]
    assert (between, after) == ((1, 0) if first == "fraud" else (0, 1))


def test_shuffled_labels_tell_nothing() -> None:
    """Labels of payments that are not the customer's change no mean."""
    state, other = new_state(), new_state()
    for number in range(20):
        for each in (state, other):
            FRAUD.advance(each, payment(START + number * DAY, number))
    for number in range(5, 10):
        made = payment(START + number * DAY - 60 * DAY, number + 1_000, 9_000)
        FRAUD.advance(other, label(made, START + 12 * DAY))
    asked = payment(START + 21 * DAY, 99)
    assert own(state, asked) == own(other, asked)


def test_a_state_from_before_carries_on_and_its_habits_start_empty() -> None:
    state = new_state()
    for number in range(8):
        FRAUD.advance(state, payment(START + number * DAY, number))
    before = msgspec.msgpack.decode(msgspec.msgpack.encode(state))[:8]
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=CustomerState)
    assert old.habits is None
    event = payment(START + 9 * DAY, 9)
    row = dict(zip(FEATURE_NAMES, FRAUD.advance(old, event)[0], strict=True))
    kept = dict(zip(FEATURE_NAMES, FRAUD.advance(state, event)[0], strict=True))
    assert all(row[one.name] == kept[one.name] for one in WINDOWS)
    assert (row["usual_count"], row["known_days"], kept["usual_count"]) == (0, 0, 8)


def test_a_row_ends_with_what_the_terminal_tells() -> None:
    told = tuple(float(n) for n in range(len(UNKNOWN)))
    event = payment(START, 0)
    assert FRAUD.advance(new_state(), event, told)[0][-len(told) :] == told
    assert FRAUD.advance(new_state(), event)[0][-len(told) :] == UNKNOWN
    assert len(FRAUD.advance(new_state(), event)[0]) == len(FEATURES)
    assert len(BY_SIMULATOR) == 4


def test_habits_are_bounded() -> None:
    state = new_state()
    for number in range(400):
        made = payment(START + number * HOUR, number, 1_000 if number % 3 else 90_000)
        FRAUD.advance(state, made)
        FRAUD.advance(state, label(made, made.time + 1))
    assert state.habits is not None
    assert len(state.habits.doubts) <= DOUBTS
    assert len(state.habits.labels) <= LABELS
    assert len(msgspec.msgpack.encode(state.habits)) < 2_200


@pytest.mark.parametrize("time", [0, -5, -(10**12)])
def test_a_payment_of_1970_or_before_is_learned_as_any_other(time: int) -> None:
    state = new_state()
    for at in (time, time + 60_000):
        event = Transaction(f"t{at}", "c", "t", at, 1_000, "EUR")
        row, _ = FRAUD.advance(state, event)
    assert row[FEATURE_NAMES.index("usual_count")] == 1
