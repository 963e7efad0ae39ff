"""What the details of a payment change in what is learned of it, and what rules may ask of them.

- A refund or reversal is compared with the windows and learned into none: it is no spending.
- A reversal of the whole amount also takes its original out of the windows, while that is one of
  the payments that are remembered for retries: what was called back was not spent.
- A retry, the same payment once more (terminal, amount, currency and card) within a stated time and
  with another id, is compared with what there was before the attempt that it repeats, and takes
  that one's place in the windows: together they are one payment.
- The place of the terminal gives a distance and a speed from the payment before.

A payment without details neither comes here nor leaves anything here.
"""

from hashlib import blake2b
from math import asin, cos, nan, radians, sin, sqrt
from typing import NamedTuple

import msgspec

from stormwatch.domains.fraud import habits
from stormwatch.domains.fraud.event import (
    PURCHASE,
    REVERSAL,
    TAKING_BACK,
    Details,
    Place,
    Transaction,
    digest,
)
from stormwatch.domains.fraud.rates import Rates
from stormwatch.domains.fraud.state import (
    BITS,
    SHIPPED,
    SUM,
    TEN_MINUTES,
    Attempt,
    CustomerState,
    Known,
    advance,
)

ATTEMPTS = 4
"""Payments of a customer that a retry is looked for among: the last ones."""
LEAST_S = 60
"""Two payments count as no nearer in time than this, for a speed: clocks differ."""
EARTH_KM = 6371.0088
"""Its mean radius (IUGG)."""

NUMBERS = ("distance_km", "speed_kmh", "from_customer_km")
"""What rules may compare besides features; nothing holds of one that is not known."""
TEXTS = (
    "kind", "category", "channel", "entry", "authorisation", "original", "country", "counterparty",
    "customer", "terminal", "merchant", "currency",
)  # fmt: skip
_OWN = ("country", "customer", "terminal", "merchant", "currency")
"""Those that are not among the details, but of each payment."""
"""What rules may look up; "" where it is not known."""


class Told(NamedTuple):
    """The carry of a payment with details."""

    currency: str  # that the features' amounts are in
    retry_of: str  # id of the attempt before; "" if it is no retry
    retry_s: float
    distance_km: float  # from the place of the payment before; NaN if one of them is not known
    speed_kmh: float
    from_customer_km: float  # from the customer's own place to the terminal's


Carry = str | Told
"""Of a payment without details the currency alone."""


def advance_with(
    state: CustomerState, event: Transaction, more: Details, retry_ms: int, rates: Rates = SHIPPED
) -> tuple[tuple[float, ...], Told]:
    """As `state.advance`, for a payment with details; retries are those within `retry_ms`."""
    known = state.known
    distance = speed = nan
    if more.place is not None and known is not None and known.place is not None:
        distance = distance_km(known.place, more.place)
        hours = max(abs(event.time - known.place_time) / 1000, LEAST_S) / 3600
        speed = distance / hours
    away = nan
    if more.place is not None and more.customer_place is not None:
        away = distance_km(more.customer_place, more.place)
    if takes_back(event):
        features, currency = advance(_copy(state), event, rates)
        if more.kind == REVERSAL and known is not None:
            _reverse(state, known, more.original, int(features[0]))
        return features, Told(currency, "", 0.0, distance, speed, away)

    if known is None:
        known = state.known = Known()
    what = _what(event, more)
    before = _attempt(known, event, what, retry_ms)
    if before is not None:
        _take_out(state, before)
    features, currency = advance(state, event, rates)
    if retry_ms:
        _remember(known, before, Attempt(event.time, what, int(features[0]), event.id))
    if more.place is not None and (known.place is None or event.time >= known.place_time):
        known.place, known.place_time = more.place, event.time
    retry_s = 0.0 if before is None else abs(event.time - before.time) / 1000
    retry_of = "" if before is None else before.id
    return features, Told(currency, retry_of, retry_s, distance, speed, away)


def distance_km(one: Place, other: Place) -> float:
    """Along a great circle, by the haversine formula: within 0.6 % of the ellipsoid's."""
    latitude, latitude_2 = radians(one[0]), radians(other[0])
    height = sin((latitude_2 - latitude) / 2) ** 2
    width = sin(radians(other[1] - one[1]) / 2) ** 2
    part = height + cos(latitude) * cos(latitude_2) * width
    return 2 * EARTH_KM * asin(sqrt(min(1.0, part)))


def takes_back(event: Transaction) -> bool:
    """Whether money goes back to the customer: that is no spending."""
    return event.more is not None and event.more.kind in TAKING_BACK


def text_of(event: Transaction, name: str) -> str:
    """One of TEXTS."""
    if name in _OWN:
        own: str = getattr(event, name)
        return own
    more = event.more
    if more is None:
        return PURCHASE if name == "kind" else ""
    text: str = getattr(more, name)
    return text


def _copy(state: CustomerState) -> CustomerState:
    return msgspec.structs.replace(
        state, hour=state.hour[:], day=state.day[:], week=state.week[:], month=state.month[:],
        squares=state.squares[:],
    )  # fmt: skip


def _what(event: Transaction, more: Details) -> int:
    told = f"{event.terminal}\0{event.amount}\0{event.currency}\0{more.card}\0{more.kind}"
    return int.from_bytes(blake2b(told.encode(), digest_size=7).digest(), "little")


def _attempt(known: Known, event: Transaction, what: int, retry_ms: int) -> Attempt | None:
    """The last attempt that the event repeats."""
    for one in reversed(known.attempts):
        if one.what == what and abs(event.time - one.time) <= retry_ms and one.id != event.id:
            return one
    return None


def _reverse(state: CustomerState, known: Known, original: str, amount: int) -> None:
    """Forget the payment that a reversal of so many points takes back, if it is remembered."""
    for one in known.attempts:
        if one.id == original and one.points == amount:
            _take_out(state, one)
            known.attempts = [each for each in known.attempts if each is not one]
            return


def _remember(known: Known, before: Attempt | None, attempt: Attempt) -> None:
    kept = [one for one in known.attempts if one is not before]
    known.attempts = [*kept[1 - ATTEMPTS :], attempt]


def _take_out(state: CustomerState, attempt: Attempt) -> None:
    """Undo what was learned of an attempt, where the rings still have it."""
    if state.habits is not None:
        habits.take_out(state.habits, attempt.time, attempt.points, digest(attempt.id))
    ten, newest = attempt.time // TEN_MINUTES, state.newest // TEN_MINUTES
    amount = attempt.points
    for ring, tens in ((state.hour, 1), (state.day, 6), (state.week, 144), (state.month, 432)):
        bucket, size = ten // tens, len(ring)
        at = bucket % size
        in_ring = bucket > newest // tens - size
        if in_ring and ring[at] >> BITS and ring[at] & SUM >= amount:
            ring[at] -= (1 << BITS) + amount
            if ring is state.month:
                state.squares[at] = max(0, state.squares[at] - amount * amount)
    state.seen = max(0, state.seen - 1)
