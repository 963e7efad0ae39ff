"""What a run published, and the ledger's word on each of those offsets."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from apps.data.streams import Stream
from apps.operate import ledger as ledgers
from apps.operate.looks import Connected
from stormwatch.ports import Admin
from stormwatch.records import EndState

Highs = Mapping[str, Mapping[int, int]]
"""Topic -> partition -> high watermark."""


class Proof(NamedTuple):
    """End states of the offsets that one topic gained during the run."""

    published: int  # offsets, without those that never held a record
    states: dict[str, int]
    unaccounted: int  # without an end state
    sound: bool  # nothing unaccounted, no offset with two states


def highs(admin: Admin, streams: Iterable[Stream]) -> dict[str, dict[int, int]]:
    """The topics' ends now. Raises BrokerUnavailable."""
    return {
        s.topic: {p: marks.high for p, marks in admin.watermarks(s.topic).items()} for s in streams
    }


def ranges(before: Highs, after: Highs) -> dict[str, dict[int, tuple[int, int]]]:
    """Topic -> partition -> the offsets gained; a partition that is new began at 0."""
    return {
        topic: {p: (before.get(topic, {}).get(p, 0), end) for p, end in ends.items()}
        for topic, ends in after.items()
    }


def proof(outside: Connected, topic: str, gained: ledgers.Ranges) -> Proof:
    """What became of the offsets gained. Raises InfrastructureError."""
    ledger = ledgers.topic(outside.settings, outside.admin, outside.store, topic, gained)
    states = dict(ledger.states)
    absent = states.pop(EndState.ABSENT, 0)
    offsets = sum(end - first for first, end in gained.values())
    open_ = ledger.unaccounted + ledger.in_flight
    return Proof(offsets - absent, states, open_, not open_ and not ledger.conflicting)
