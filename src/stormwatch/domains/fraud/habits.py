"""What a customer usually spends: means without frauds, and what stands out from them.

A payment far above the usual is doubtful: it is remembered as that and is not usual for two weeks,
so that one fraud does not hide the next. Who often pays such amounts has them among the usual ones
in the end. A payment that a label calls a fraud is no longer usual for the
payments from that label's arrival on. Which payments are doubtful is decided without labels, and
labels are only looked up when a payment is measured: so the order in which payments and labels came
leaves no trace.

Sums are exact integers on the grid of three-day buckets of `state`; amounts are points of the
customer's currency.
"""

from math import sqrt

import msgspec

from stormwatch.domains.fraud.event import Transaction, digest
from stormwatch.features import Feature, names

HOUR, DAY = 3_600_000, 86_400_000
THREE_DAYS = 3 * DAY
BUCKETS = 10
BITS = 46
"""Of a bucket, for the sum of amounts; the count stands above them."""
SUM = (1 << BITS) - 1
MOST_COUNT, MOST_SUM, MOST_SQUARES = 2**18 - 1, 2**41, 2**63 - 1
DOUBTS, LABELS = 32, 32
"""Remembered of a customer: the last ones."""
ENOUGH = 5
"""Usual payments below which none is doubtful."""
FAR = 2.5
"""Times the usual mean, and deviations above it, from which a payment is doubtful."""

SETTLED = 14 * DAY
"""A doubtful payment that is older, ms, is usual after all: what was a fraud is known by then."""

FEATURES = (
    Feature("known_days", "days since the first payment of these features", "d", "30 d"),
    Feature("night", "1 before 7 o'clock by the record's own clock"),
    Feature("usual_count", "payments without doubts of 14 days and known frauds", "", "30 d"),
    Feature("usual_mean", "mean amount of these", "points", "30 d"),
    Feature("usual_std", "sample standard deviation of these", "points", "30 d"),
    Feature("usual_ratio", "the amount to that mean", "", "30 d", 1.0),
    Feature("usual_z", "the amount above that mean, in these deviations", "", "30 d"),
    Feature("max_30d", "the greatest amount", "points", "30 d"),
    Feature(
        "doubts_14d", "doubtful payments that no label answers", "", "14 d", knows_simulator=True
    ),
    Feature("frauds_21d", "the customer's payments known to be frauds", "", "21 d"),
    Feature("country_changed", "1 where the payment before was in another country"),
)
NAMES = names(FEATURES)


class Doubt(msgspec.Struct, frozen=True, array_like=True):
    """A doubtful payment."""

    time: int
    points: int
    what: int  # `event.digest` of its id


class Told(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A label: ordered by arrival."""

    arrival: int
    what: int  # `event.digest` of the payment's id
    time: int  # of the payment
    points: int  # 0: its currency has no rate
    fraud: bool


class Habits(msgspec.Struct, array_like=True):
    """At most 1.5 KB encoded; 0.2 KB of a customer with no doubts and no labels."""

    since: int = 0  # time of the first payment learned; means nothing while `month` is empty
    newest: int = 0
    month: list[int] = []  # BUCKETS of three days, bucket b at b modulo their number
    squares: list[int] = []
    most: list[int] = []
    doubts: list[Doubt] = []
    labels: list[Told] = []
    country: str = ""  # of the newest payment that has one


def learn_label(habits: Habits, told: Told) -> None:
    """In any order; a label told twice counts once."""
    habits.labels = sorted({*habits.labels, told})[-LABELS:]


def advance(habits: Habits, event: Transaction, amount: int, hour: int) -> tuple[float, ...]:
    """FEATURES of a payment of so many points at that hour of its own clock, which sees of itself
    only these and its country; then learn it."""
    time, bucket = event.time, event.time // THREE_DAYS
    if not habits.month or time > habits.newest:
        _roll(habits, time)
    month, most = habits.month, habits.most
    both = sum(month)
    count, total, squares = both >> BITS, both & SUM, sum(habits.squares)
    fresh = frauds = 0
    if habits.doubts:
        oldest = (habits.newest // THREE_DAYS - BUCKETS + 1) * THREE_DAYS
        for doubt in habits.doubts:
            if doubt.time > time - SETTLED:
                fresh += doubt.time <= time
            elif doubt.time >= oldest:
                count, total = count + 1, total + doubt.points
                squares += doubt.points * doubt.points
    usual = _compare(amount, count, total, squares)
    doubtful = usual[3] >= FAR and usual[2] >= FAR and count >= ENOUGH
    if habits.labels:
        rest, frauds, answered = _answered(habits, time, (count, total, squares))
        count, usual = rest[0], _compare(amount, *rest)
        doubts = sum(
            time - SETTLED < doubt.time <= time and doubt.what not in answered
            for doubt in habits.doubts
        )
    else:
        doubts = fresh
    known = (time - habits.since) // HOUR / 24
    country = event.country
    row = (
        known if 0 < known < 30 else 30.0 if known > 0 else 0.0,
        1.0 if hour < 7 else 0.0,
        count,
        *usual,
        max(most),
        doubts,
        frauds,
        1.0 if country and habits.country and country != habits.country else 0.0,
    )
    if country and time == habits.newest:
        habits.country = country
    if time == habits.newest or bucket > habits.newest // THREE_DAYS - BUCKETS:
        at = bucket % BUCKETS
        most[at] = max(most[at], amount)
        if doubtful:
            doubt = Doubt(time, amount, digest(event.id))
            habits.doubts = [*habits.doubts[1 - DOUBTS :], doubt]
        elif month[at] >> BITS < MOST_COUNT and (month[at] & SUM) + amount < MOST_SUM:
            month[at] += (1 << BITS) + amount
            squares = habits.squares[at] + amount * amount
            habits.squares[at] = squares if squares < MOST_SQUARES else MOST_SQUARES
    return row


def _roll(habits: Habits, time: int) -> None:
    if not habits.month:
        habits.since = habits.newest = time
        habits.month, habits.squares, habits.most = ([0] * BUCKETS for _ in range(3))
    else:
        old, new = habits.newest // THREE_DAYS, time // THREE_DAYS
        habits.newest = time
        for bucket in range(max(old, new - BUCKETS) + 1, new + 1):
            at = bucket % BUCKETS
            habits.month[at] = habits.squares[at] = habits.most[at] = 0


def _compare(
    amount: int, count: int, total: int, squares: int
) -> tuple[float, float, float, float]:
    """Mean and deviation of payments, and the amount's ratio and distance to them."""
    if not count:
        return 0.0, 0.0, 1.0, 0.0
    mean = total / count
    if count < 3:
        return mean, 0.0, amount / mean, 0.0
    apart = count * squares - total * total
    deviation = sqrt(apart / (count * (count - 1))) if apart > 0 else 0.0
    least = mean / 10 if mean > 1000 else 100.0
    z = (amount - mean) / (deviation if deviation > least else least)
    return mean, deviation, amount / mean, z


def _answered(
    habits: Habits, time: int, usual: tuple[int, int, int]
) -> tuple[tuple[int, int, int], int, frozenset[int]]:
    """By the labels arrived at `time`: the sums without frauds, the customer's frauds of 21 days,
    and the payments that a label answers."""
    newest: dict[int, Told] = {told.what: told for told in habits.labels if told.arrival <= time}
    apart = {doubt.what for doubt in habits.doubts if doubt.time > time - SETTLED}
    oldest = habits.newest // THREE_DAYS - BUCKETS
    count, total, squares = usual
    frauds = 0
    for told in newest.values():
        if told.fraud:
            frauds += time - 21 * DAY < told.time
            learned = told.time >= habits.since and told.time // THREE_DAYS > oldest
            if (
                learned
                and told.points
                and told.what not in apart
                and 0 < count <= total - told.points + 1
            ):
                count, total = count - 1, total - told.points
                squares = max(0, squares - told.points * told.points)
    return (count, total, squares), frauds, frozenset(newest)


def take_out(habits: Habits, time: int, points: int, what: int) -> None:
    """Undo what was learned of a payment, where it is still there; not of the greatest amount."""
    kept = [doubt for doubt in habits.doubts if doubt.what != what]
    if len(kept) < len(habits.doubts):
        habits.doubts = kept
        return
    bucket, at = time // THREE_DAYS, time // THREE_DAYS % BUCKETS
    if not habits.month or bucket <= habits.newest // THREE_DAYS - BUCKETS:
        return
    if time >= habits.since and habits.month[at] >> BITS and habits.month[at] & SUM >= points:
        habits.month[at] -= (1 << BITS) + points
        habits.squares[at] = max(0, habits.squares[at] - points * points)
