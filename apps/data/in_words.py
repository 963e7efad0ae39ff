"""What people read of a stored decision."""

import msgspec

from apps.data.printable import shown
from stormwatch.records import Decision, DecisionRow

_decision = msgspec.json.Decoder(Decision).decode


def in_words(row: DecisionRow) -> str:
    """An alert's reasons, most weighty first, as one line."""
    try:
        decision = _decision(bytes(row.body))
    except msgspec.MsgspecError:
        return ""  # written by another version: the outcome alone is shown
    reasons = sorted(decision.reasons, key=lambda reason: -abs(reason.weight))
    alone = ["by rules alone"] if decision.degraded else []
    return shown("; ".join([*alone, *(reason.text for reason in reasons)]))
