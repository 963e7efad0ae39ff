"""What people read of a stored decision."""

from collections.abc import Iterable

import msgspec

from apps.data.printable import shown
from stormwatch.domains.fraud.money import money
from stormwatch.domains.maintenance.failures import TOLD as PROBABILITY
from stormwatch.records import Decision, DecisionRow, Reason
from stormwatch.state.judge import UNSCORED

_decision = msgspec.json.Decoder(Decision).decode


class _Payment(msgspec.Struct):
    amount: int
    currency: str
    terminal: str = ""
    merchant: str = ""


class _Cycle(msgspec.Struct):
    cycle: int | None = None


_payment = msgspec.json.Decoder(_Payment).decode
_cycle = msgspec.json.Decoder(_Cycle).decode


def by_weight(reasons: Iterable[Reason]) -> list[Reason]:
    """Most weighty first."""
    return sorted(reasons, key=lambda reason: -abs(reason.weight))


def in_words(row: DecisionRow, most: int | None = None) -> str:
    """An alert's reasons, most weighty first, as one line; of more than `most` the first ones."""
    try:
        decision = _decision(bytes(row.body))
    except msgspec.MsgspecError:
        return ""  # written by another version: the outcome alone is shown
    alone = ["by rules alone"] if decision.degraded else []
    return shown(
        "; ".join([*alone, *(reason.text for reason in by_weight(decision.reasons)[:most])])
    )


_MACHINES = {
    "anomaly": "surprise {:.1f}",
    "no_data": "after a silence",
    "sensor_fault": "a sensor is broken",
    "unknown_regime": "in unknown conditions",
}


def score_in_words(topology: str, row: DecisionRow) -> str:
    """What an alert's score says: of machines it is cycles left, how surprising a reading is, or
    the probability of a failure."""
    if row.outcome == "unknown_regime":
        return _MACHINES[row.outcome]
    if row.score == UNSCORED:
        return "life unknown" if row.outcome == "unknown_regime" else "by rules alone"
    if topology != "maintenance":
        return f"{row.score:.2f}"
    if row.outcome in _MACHINES:
        return _MACHINES[row.outcome].format(row.score)
    is_probability = f'"{PROBABILITY}"'.encode() in bytes(row.body)
    return f"probability {row.score:.2f}" if is_probability else f"{row.score:.0f} cycles left"


def record_in_words(events: str, value: bytes) -> str:
    """What a record of a kind of events was, in a few words; "" where nothing short says it."""
    try:
        match events:
            case "transactions":
                paid = _payment(value)
                at = paid.merchant or paid.terminal
                text = money(paid.amount, paid.currency) + (f" at {at}" if at else "")
            case "readings":
                cycle = _cycle(value).cycle
                text = "" if cycle is None else f"cycle {cycle:,}"
            case _:
                return ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return shown(text)
