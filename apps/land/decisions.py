"""Waits for the decisions of records that were just appended."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from apps.land.streams import Stream
from apps.land.verdicts import Decided
from stormwatch.errors import InfrastructureError
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Store
from stormwatch.records import Decision, DecisionKey

FIRST_LOOK_S, LOOK_S = 0.02, 0.05
_decode = msgspec.json.Decoder(Decision).decode

Key = tuple[str, str, int]
"""Entity, id, event time."""


def wait_for(
    store: Callable[[], Store], stream: Stream, events: Sequence[Any], stripes: int, seconds: float,
) -> dict[Key, Decided]:  # fmt: skip
    """What is decided of these events within `seconds`; what is not there by then is left out.

    Also where the store does not answer: the records are in the log and will be decided.
    """
    until = time.monotonic() + seconds
    left = {
        (each.entity, each.id, each.time): DecisionKey(
            stripe_of(each.entity, stripes), each.entity, each.time, each.id
        )
        for each in events
        if each is not None
    }
    found: dict[Key, Decided] = {}
    pause = FIRST_LOOK_S
    while left and (rest := until - time.monotonic()) > 0:
        time.sleep(min(pause, rest))
        pause = LOOK_S
        try:
            rows = store().find_decisions(stream.kind.topology, list(left.values()))
        except InfrastructureError:
            continue
        for row in rows:
            key = (row.entity, row.id, row.time)
            if left.pop(key, None) is not None:
                found[key] = _short(bytes(row.body), row.alert)
    return found


def _short(body: bytes, alert: bool) -> Decided:
    decision = _decode(body)
    reasons = [reason.text for reason in decision.reasons]
    return Decided(decision.outcome, decision.score, alert, reasons)
