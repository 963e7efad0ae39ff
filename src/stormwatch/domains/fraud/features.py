"""The features of a payment, in the order of the rows that models take, and how they are computed.

`advance` is the one place where they are: the bolt, replay, training and evaluation call it.
"""

import msgspec

from stormwatch.domains.fraud import habits, terminals
from stormwatch.domains.fraud import state as windows
from stormwatch.domains.fraud.details import Carry, Told, advance_with, takes_back
from stormwatch.domains.fraud.event import Transaction, digest
from stormwatch.domains.fraud.habits import Habits
from stormwatch.domains.fraud.rates import Rates
from stormwatch.domains.fraud.state import BITS, SHIPPED, SUM, CustomerState
from stormwatch.features import Feature, names

WINDOWS = windows.FEATURES
FEATURE_SET = "fraud-2"
BEFORE = "fraud-1"
"""The set whose rows were WINDOWS alone; its states carry on, and what came since starts empty."""
TRAVEL = (
    Feature("travel_km", "distance of the terminal from the one of the payment before", "km"),
    Feature("travel_kmh", "the speed which that takes", "km/h"),
    Feature("retry", "1 for the same payment tried again", "", "2 min"),
)
"""Of payments with details; 0 where they are not known."""
FEATURES: tuple[Feature, ...] = (*WINDOWS, *habits.FEATURES, *TRAVEL, *terminals.FEATURES)
FEATURE_NAMES = names(FEATURES)
BY_SIMULATOR = frozenset(one.name for one in FEATURES if one.knows_simulator)

OF_AMOUNT = frozenset(
    one.name
    for one in FEATURES
    if one.name in ("amount", "z_30d", "usual_ratio", "usual_z") or one.name.startswith("ratio_")
)
"""Features that compare the payment's own amount."""
_WITHOUT_AMOUNT = {at: one.default for at, one in enumerate(FEATURES) if one.name in OF_AMOUNT}

_NO_TRAVEL = (0.0, 0.0, 0.0)


def advance(
    state: CustomerState,
    event: Transaction,
    second: tuple[float, ...] = terminals.UNKNOWN,
    retry_ms: int = 0,
    rates: Rates = SHIPPED,
) -> tuple[tuple[float, ...], Carry]:
    """FEATURES of a payment and what reasons need to know; then learn it.

    `second` is what its terminal tells (`terminals.values`). Retries are those within `retry_ms`.
    A payment in a currency that `rates` do not have gives OF_AMOUNT as where nothing is known. It
    is counted at the mean of the customer's month, so that the means stay; of a customer without
    one it is not learned.
    """
    if not rates.knows(event.currency):
        return _without_rate(state, event, second, retry_ms, rates)
    currency = state.currency
    carry: Carry
    more = event.more
    if more is None:
        own, carry = windows.advance(state, event, rates)
        travel = _NO_TRAVEL
    else:
        own, carry = advance_with(state, event, more, retry_ms, rates)
        travel = _travel(carry)
    kept = state.habits
    if kept is None:
        kept = Habits()
    elif state.currency != currency:  # after a month without payments: sums of another currency
        kept = Habits(labels=kept.labels, country=kept.country)
    if more is not None and takes_back(event):
        kept = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Habits)
    else:
        state.habits = kept
    usual = habits.advance(kept, event, int(own[0]), int(own[1]))
    return (*own, *usual, *travel, *second), carry


def _without_rate(
    state: CustomerState, event: Transaction, second: tuple[float, ...], retry_ms: int, rates: Rates
) -> tuple[tuple[float, ...], Carry]:
    month = sum(state.month)
    currency = state.currency or "EUR"
    if month >> BITS:
        mean = max(1, rates.of_points((month & SUM) // (month >> BITS), currency))
        learning = state
    else:
        mean = 1
        learning = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=CustomerState)
    stand_in = msgspec.structs.replace(event, amount=mean, currency=currency)
    features, carry = advance(learning, stand_in, second, retry_ms, rates)
    return tuple(_WITHOUT_AMOUNT.get(at, one) for at, one in enumerate(features)), carry


def learn_label(state: CustomerState, event: Transaction, rates: Rates = SHIPPED) -> None:
    """What the label says of the customer's payment, which may be one never seen."""
    label = event.label
    assert label is not None
    if state.habits is None:
        state.habits = Habits()
    amount = 0
    if rates.knows(event.currency):
        amount = rates.points(event.amount, event.currency, state.currency or event.currency)
    what = digest(label.payment)
    told = habits.Told(event.time, what, label.payment_time, amount, label.is_fraud)
    habits.learn_label(state.habits, told)


def _travel(carry: Carry) -> tuple[float, float, float]:
    if not isinstance(carry, Told):
        return _NO_TRAVEL
    known = carry.distance_km == carry.distance_km
    away = (carry.distance_km, carry.speed_kmh) if known else (0.0, 0.0)
    return (*away, 1.0 if carry.retry_of else 0.0)
