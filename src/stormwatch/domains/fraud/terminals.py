"""What is remembered of a terminal, and what a payment there is told of it.

A terminal sees the payments of all its customers, and the labels of those payments when they
arrive. Both are counted by hours of event time, and a payment reads closed hours alone:

- a label counts from the hour after its arrival;
- the windows end LABEL_DELAY_H before the payment's hour, payments and frauds alike, so that a
  share of frauds is one of payments whose labels have had the time to come.

So what a payment is told does not depend on how far payments and labels of the same day have come,
and `learn` gives the same state in whatever order visits are learned (state of one terminal, all
visits within KEPT_H hours): its content is a function of the set of visits alone.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import msgspec

from stormwatch.domains.fraud.event import TAKING_BACK, Transaction, digest
from stormwatch.domains.fraud.rates import Rates, shipped
from stormwatch.features import Feature, names

HOUR = 3_600_000
LABEL_DELAY_H = 7 * 24 + 1
"""Chargebacks and confirmations are taken to be there after seven days, and the hour to close."""
SERVES_H = 5 * 24
"""So many hours a terminal that was read need not be read again, but for labels: the windows of a
payment that long after end before the reading, by two days that partitions may be apart."""
KEPT_H = 40 * 24
"""So many hours up to the newest payment are kept: 37 days of windows, and three for lateness."""
MOST_LABELS = 256
"""Of a terminal, those of its newest payments."""
BITS = 30
"""Of an hour's entry, for the payments in it; the hour stands above them."""
SUM = (1 << BITS) - 1
MOST = (1 << 20) - 1
"""Payments of an hour that are counted: those of all hours kept fit in the bits."""
LONG_AGO_H = 1_000.0
"""The age of what never was, hours."""
LONG_AGO_D = 100.0
"""The same in days."""
SMALL = 22_000
"""Points: a fraud above it explains itself by its amount (the Handbook's first scenario)."""

_SHIPPED = shipped()

FEATURES = (
    Feature("terminal_count_1d", "payments at the terminal", "", "1 d, ended 7 d before"),
    Feature("terminal_risk_1d", "share of them known to be frauds", "", "1 d, ended 7 d before"),
    Feature("terminal_count_7d", "payments at the terminal", "", "7 d, ended 7 d before"),
    Feature("terminal_risk_7d", "share of them known to be frauds", "", "7 d, ended 7 d before"),
    Feature("terminal_count_30d", "payments at the terminal", "", "30 d, ended 7 d before"),
    Feature("terminal_risk_30d", "share of them known to be frauds", "", "30 d, ended 7 d before"),
    Feature("terminal_frauds", "known frauds at the terminal", "", "35 d"),
    Feature(
        "terminal_fraud_age_h", "age of the newest payment there known to be a fraud", "h", "40 d",
        LONG_AGO_H,
    ),
    Feature("terminal_fraud_amount", "amount of the newest known fraud there", "points", "40 d"),
    Feature("terminal_fraud_least", "the smallest amount of the known frauds", "points", "40 d"),
    Feature(
        "terminal_frauds_small", "known frauds there of no large amount (220 EUR)", "", "35 d",
        knows_simulator=True,
    ),
    Feature(
        "terminal_run", "payments one after the other, all known to be frauds, up to the last "
        "whose labels have come", "", "40 d, ended 7 d before", knows_simulator=True,
    ),
    Feature(
        "terminal_run_days", "days (UTC) since the first of these", "d", "40 d",
        LONG_AGO_D, knows_simulator=True,
    ),
    Feature(
        "terminal_genuine_since", "payments there since the newest known fraud that were no "
        "frauds", "", "40 d, ended 7 d before",
    ),
)  # fmt: skip
NAMES = names(FEATURES)
UNKNOWN = tuple(feature.default for feature in FEATURES)
"""Of a terminal never seen."""


class Visit(NamedTuple):
    """What a payment, or the label of one, tells the payment's terminal."""

    time: int  # of the payment, ms
    points: int  # its amount (`rates.Rates.points`, of a euro); 0: its currency has no rate
    what: int = 0  # of a label: a digest of the payment's id
    arrival: int = 0  # of a label, ms
    fraud: bool | None = None  # None: the payment itself


class Marked(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A label as it is kept: ordered by the payment's hour."""

    hour: int  # of the payment, since the epoch
    arrival: int  # ms
    what: int
    fraud: bool
    points: int


class TerminalState(msgspec.Struct, array_like=True):
    """At most 9 KB encoded for the hours, of which a terminal with a payment a day uses 0.2, and
    8 KB for labels, of which most have none."""

    hours: list[int] = []  # hour << BITS | payments, ascending: those that had a payment
    labels: list[Marked] = []  # ascending


def new_state() -> TerminalState:
    """Of a terminal never seen."""
    return TerminalState([], [])


def visit_of(event: Transaction, rates: Rates = _SHIPPED) -> Visit | None:
    """What the event tells its terminal; None of one that takes a payment back."""
    known = rates.knows(event.currency)
    amount = rates.points(event.amount, event.currency, "EUR") if known else 0
    label = event.label
    if label is not None:
        what = digest(label.payment)
        return Visit(label.payment_time, amount, what, event.time, label.is_fraud)
    if event.more is not None and event.more.kind in TAKING_BACK:
        return None
    return Visit(event.time, amount)


def learn(state: TerminalState, visit: Visit) -> None:
    """Learn a payment or a label, in place. In any order; a label told twice counts once."""
    hour, hours = visit.time // HOUR, state.hours
    newest = hours[-1] >> BITS if hours else 0
    if hour <= newest - KEPT_H:
        return
    if visit.fraud is not None:
        mark = Marked(hour, visit.arrival, visit.what, visit.fraud, visit.points)
        at = bisect_left(state.labels, mark)
        if at == len(state.labels) or state.labels[at] != mark:
            state.labels.insert(at, mark)
            if len(state.labels) > MOST_LABELS:
                del state.labels[0]
        return
    at = bisect_left(hours, hour << BITS) if hour != newest else len(hours) - 1
    if at < len(hours) and hours[at] >> BITS == hour:
        if hours[at] & SUM < MOST:
            hours[at] += 1
    else:
        hours.insert(at, hour << BITS | 1)
        if hour > newest:
            _forget(state, hour - KEPT_H)


def _forget(state: TerminalState, last: int) -> None:
    """What is of that hour or an older one."""
    if state.hours[0] >> BITS <= last:
        del state.hours[: bisect_left(state.hours, last + 1 << BITS)]
    if state.labels and state.labels[0].hour <= last:
        state.labels[:] = [mark for mark in state.labels if mark.hour > last]


def values(state: TerminalState | None, event: Transaction) -> tuple[float, ...]:
    """What a payment is told of its terminal: FEATURES, in order. None: one never seen."""
    if state is None or not (state.hours or state.labels):
        return UNKNOWN
    hour, hours = event.time // HOUR, state.hours
    closed = hour - LABEL_DELAY_H
    after = closed + 1
    end = bisect_left(hours, after << BITS)
    in_day = in_week = in_month = 0
    if end:
        week = bisect_left(hours, after - 168 << BITS, 0, end)
        month = bisect_left(hours, after - 720 << BITS, 0, week)
        if week < end:
            in_week = sum(hours[week:end]) & SUM
            if hours[end - 1] >> BITS > closed - 24:
                in_day = sum(hours[bisect_left(hours, after - 24 << BITS, week, end) : end]) & SUM
        in_month = in_week + (sum(hours[month:week]) & SUM)
    frauds = _known(state, hour) if state.labels else []
    if not frauds:
        return (in_day, 0.0, in_week, 0.0, in_month, 0.0, *UNKNOWN[6:])
    by_hour: dict[int, int] = {}
    known = small = 0
    for mark in frauds:
        by_hour[mark.hour] = by_hour.get(mark.hour, 0) + 1
        if mark.hour > hour - 35 * 24:
            known += 1
            small += 0 < mark.points <= SMALL
    shares = []
    for span, payments in ((24, in_day), (168, in_week), (720, in_month)):
        count = sum(n for h, n in by_hour.items() if closed - span < h <= closed)
        shares.append(min(1.0, count / payments) if payments else 0.0)
    run, first = 0, hour
    for at in range(end - 1, -1, -1):
        h = hours[at] >> BITS
        if by_hour.get(h, 0) < hours[at] & SUM:
            break
        run, first = run + (hours[at] & SUM), h
    newest = max(frauds)
    least = min((mark.points for mark in frauds if mark.points), default=0)
    since = sum(hours[bisect_right(hours, newest.hour << BITS | SUM, 0, end) : end]) & SUM
    days = float(hour // 24 - first // 24) if run else LONG_AGO_D
    return (
        in_day, shares[0], in_week, shares[1], in_month, shares[2], known,
        float(hour - newest.hour), newest.points, least, small, run,
        days, since,
    )  # fmt: skip


def _known(state: TerminalState, hour: int) -> list[Marked]:
    """The labels that say fraud at that hour: of each payment the newest by arrival."""
    before = hour * HOUR
    newest: dict[int, Marked] = {}
    for mark in state.labels:
        if mark.arrival < before:
            other = newest.get(mark.what)
            if other is None or (other.arrival, other) < (mark.arrival, mark):
                newest[mark.what] = mark
    return [mark for mark in newest.values() if mark.fraud]
