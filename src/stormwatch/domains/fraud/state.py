"""What is remembered of a customer, and the features a transaction has against it.

Four windows of event time, each a ring of buckets on a fixed UTC grid: 1 h is the last 6 buckets of
ten minutes, 1 d the last 24 hours, 7 d the last 7 days, 30 d the last 10 buckets of three days, the
running one always included (so 1 h is 50 to 60 minutes, and so on). Windows end at the customer's
newest event time. An event that comes late is compared with the same windows and learned into the
bucket of its own time where a ring still has it.

A bucket is one integer: the number of transactions above the sum of their amounts, so that one
addition adds both. Everything is an exact integer and nothing is derived, which makes a state the
same bits whether it lived in memory or went through storage; its size has a fixed bound.

Amounts are points, about cents of a euro (`rates.Rates`). The windows are in one currency, that of
the first payment in them; a payment in another one is compared and learned at the reference rates,
so that no sum is of two currencies and reasons can say which it is of.
"""

from math import sqrt
from typing import ClassVar

import msgspec

from stormwatch.domains.fraud.event import Place, Transaction
from stormwatch.domains.fraud.habits import Habits
from stormwatch.domains.fraud.rates import Rates, shipped
from stormwatch.features import Feature, names
from stormwatch.rules.caps import Hits

TEN_MINUTES, HOUR = 600_000, 3_600_000  # ms
LONG_AGO = 30 * 86_400
"""`since_last` of a first transaction, and the greatest it gets, s."""

SHIPPED = shipped()

BITS = 46
"""Of a bucket, for the sum of amounts; the count stands above them."""
SUM = (1 << BITS) - 1
MOST_COUNT, MOST_SUM, MOST_SQUARES = 2**18 - 1, 2**41, 2**63 - 1
"""Where a bucket stops growing. Twenty-four full sums still fit in their bits."""

_SPANS = (("1h", "1 h"), ("1d", "1 d"), ("7d", "7 d"), ("30d", "30 d"))
FEATURES: tuple[Feature, ...] = (
    Feature("amount", "the amount; sums and means are in the same points", "points"),
    Feature("hour", "0 to 23, by the record's own offset from UTC"),
    Feature("weekend", "1 on Saturday and Sunday, by the same clock"),
    Feature(
        "since_last", "time since the customer's newest payment; 0 for one that comes late", "s",
        "30 d", LONG_AGO,
    ),
    Feature("seen", "payments ever learned"),
    *(
        feature
        for name, window in _SPANS
        for feature in (
            Feature(f"count_{name}", "payments", "", window),
            Feature(f"sum_{name}", "their sum", "points", window),
            Feature(f"mean_{name}", "their mean, rounded down", "points", window),
            Feature(f"ratio_{name}", "the amount to that mean, three decimals", "", window, 1.0),
        )
    ),
    Feature("z_30d", "the amount above that mean, in sample standard deviations", "", "30 d"),
)  # fmt: skip
FEATURE_NAMES = names(FEATURES)


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """A payment that may be tried again; see `details`."""

    time: int
    what: int  # a digest of what a retry of it has in common with it
    points: int  # as it was learned
    id: str


class Known(msgspec.Struct, array_like=True):
    """Of a customer whose payments have details. At most 0.4 KB encoded."""

    place: Place | None = None  # of the newest payment that has one
    place_time: int = 0
    attempts: list[Attempt] = []  # the last few


class Own(msgspec.Struct, array_like=True):
    """At most 2.1 KB encoded."""

    version: str  # of the user's file: what another one kept is nothing to it
    kept: bytes


class CustomerState(msgspec.Struct, array_like=True, omit_defaults=True):
    """Rings of buckets; bucket b stands at b modulo the ring's length. At most 0.6 KB encoded, and
    0.4 KB more where payments have details; `habits` and `own` come on top, and 0.3 KB where rules
    with a cap fired."""

    seen: int
    newest: int  # greatest event time, ms; means nothing while `seen` is 0
    hour: list[int]  # 6 of ten minutes
    day: list[int]  # 24 of an hour
    week: list[int]  # 7 of a day
    month: list[int]  # 10 of three days
    squares: list[int]  # beside `month`: sums of squared amounts
    currency: str = ""  # of the windows; "" while empty, or written before there was this field
    known: Known | None = None
    habits: Habits | None = None
    own: Own | None = None
    """Of the features that a user added."""
    rows: bytes | None = None
    """The last rows, for a model of sequences (`models.window`), 200 bytes each; None where none is
    in use."""
    capped: list[Hits] | None = None
    """Of rules with a cap that fired."""
    TRIMMED: ClassVar[int] = 4
    """So many last fields are left out where they are None: see `EnvelopeCodec.encode`."""


def new_state() -> CustomerState:
    """Of a customer never seen."""
    return CustomerState(0, 0, [0] * 6, [0] * 24, [0] * 7, [0] * 10, [0] * 10)


def advance(
    state: CustomerState, event: Transaction, rates: Rates = SHIPPED
) -> tuple[tuple[float, ...], str]:
    """Features of `event`, which sees of itself only its own amount and time, and the currency
    that they are in; then learn it."""
    time, seen, newest = event.time, state.seen, state.newest
    ten = time // TEN_MINUTES
    hours = ten // 6
    days = hours // 24
    since = 0
    if not seen:
        since, state.newest = LONG_AGO, time
    elif time > newest:
        state.newest = time
        since = (time - newest) // 1000
        since = min(since, LONG_AGO)
        before = newest // TEN_MINUTES
        if before < ten:
            _roll_all(state, before, ten)

    if state.currency != event.currency:
        _set_currency(state, event.currency, rates)
    amount = rates.points(event.amount, event.currency, state.currency)
    in_hour, in_day, in_week = sum(state.hour), sum(state.day), sum(state.week)
    in_month = sum(state.month)
    count_1h, sum_1h = in_hour >> BITS, in_hour & SUM
    count_1d, sum_1d = in_day >> BITS, in_day & SUM
    count_7d, sum_7d = in_week >> BITS, in_week & SUM
    count_30d, sum_30d = in_month >> BITS, in_month & SUM
    thousandfold = amount * 1000
    own_hours = hours if not event.utc_offset else (time + event.utc_offset * 60_000) // HOUR
    features = (
        amount,
        own_hours % 24,
        1 if (own_hours // 24 + 3) % 7 >= 5 else 0,
        since,
        seen,
        count_1h,
        sum_1h,
        sum_1h // count_1h if count_1h else 0,
        thousandfold * count_1h // sum_1h / 1000 if count_1h else 1,
        count_1d,
        sum_1d,
        sum_1d // count_1d if count_1d else 0,
        thousandfold * count_1d // sum_1d / 1000 if count_1d else 1,
        count_7d,
        sum_7d,
        sum_7d // count_7d if count_7d else 0,
        thousandfold * count_7d // sum_7d / 1000 if count_7d else 1,
        count_30d,
        sum_30d,
        sum_30d // count_30d if count_30d else 0,
        thousandfold * count_30d // sum_30d / 1000 if count_30d else 1,
        _z(amount, count_30d, sum_30d, sum(state.squares)) if count_30d > 2 else 0,
    )

    state.seen = seen + 1
    threes = days // 3
    if time == state.newest and count_30d < MOST_COUNT and sum_30d + amount < MOST_SUM:
        one = (1 << BITS) + amount  # no bucket can be full: all of them are in the month
        state.hour[ten % 6] += one
        state.day[hours % 24] += one
        state.week[days % 7] += one
        at = threes % 10
        state.month[at] += one
        squares = state.squares[at] + amount * amount
        state.squares[at] = squares if squares < MOST_SQUARES else MOST_SQUARES
    else:
        _learn_with_care(state, ten, amount)
    return features, state.currency


def _set_currency(state: CustomerState, currency: str, rates: Rates) -> None:
    """That of a payment, if the windows are empty or do not say theirs.

    Those that do not were written in minor units before they said it: the payment's, most likely.
    """
    if not any(state.month):
        state.currency = currency
    elif not state.currency:
        state.currency = currency
        if not rates.is_common(currency):
            for ring in (state.hour, state.day, state.week, state.month):
                ring[:] = [
                    (b & ~SUM) + (rates.points(b & SUM, currency, currency) if b & SUM else 0)
                    for b in ring
                ]
            once = [rates.points(s, currency, currency) if s else 0 for s in state.squares]
            state.squares[:] = [rates.points(s, currency, currency) if s else 0 for s in once]


def _roll_all(state: CustomerState, old: int, new: int) -> None:
    """Empty the buckets that come into the windows; `old` and `new` count tens of minutes."""
    _roll(state.hour, old, new)
    old, new = old // 6, new // 6
    if old < new:
        _roll(state.day, old, new)
        old, new = old // 24, new // 24
        if old < new:
            _roll(state.week, old, new)
            _roll(state.month, old // 3, new // 3)
            _roll(state.squares, old // 3, new // 3)


def _roll(ring: list[int], old: int, new: int) -> None:
    size = len(ring)
    if new - old >= size:
        ring[:] = [0] * size
        return
    while old < new:
        old += 1
        ring[old % size] = 0


def _learn_with_care(state: CustomerState, ten: int, amount: int) -> None:
    """Into the buckets that the rings still have, and no further than these can count."""
    newest = state.newest // TEN_MINUTES
    for ring, tens in ((state.hour, 1), (state.day, 6), (state.week, 144), (state.month, 432)):
        bucket, size = ten // tens, len(ring)
        if bucket > newest // tens - size:
            at = bucket % size
            count, total = (ring[at] >> BITS) + 1, (ring[at] & SUM) + amount
            ring[at] = (min(count, MOST_COUNT) << BITS) + min(total, MOST_SUM)
            if ring is state.month:
                state.squares[at] = min(state.squares[at] + amount * amount, MOST_SQUARES)


def _z(amount: int, count: int, total: int, squares: int) -> float:
    """Distance of the amount from the mean in sample standard deviations.

    The deviation counts as at least a tenth of the mean and one major unit (100 minor), so that a
    customer who always pays the same does not make every other amount infinitely strange.
    """
    mean = total / count
    spread = sqrt(max(0, count * squares - total * total) / (count * (count - 1)))
    return int((amount - mean) / max(spread, mean / 10, 100.0) * 1000) / 1000
