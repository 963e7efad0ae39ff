"""What a run published, and the ledger's word on each of those offsets."""

from collections import Counter
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
    """End states of the offsets that a topology's topics gained during the run."""

    published: int  # offsets, without those that never held a record
    states: dict[str, int]
    unaccounted: int  # without an end state
    sound: bool  # nothing unaccounted, no offset with two states


def highs(admin: Admin, streams: Iterable[Stream]) -> dict[str, dict[int, int]]:
    """The ends now of all topics that are read. Raises BrokerUnavailable."""
    return {
        topic: {p: marks.high for p, marks in admin.watermarks(topic).items()}
        for stream in streams
        for topic in stream.topics
    }


def ranges(before: Highs, after: Highs) -> dict[str, dict[int, tuple[int, int]]]:
    """Topic -> partition -> the offsets gained; a partition that is new began at 0."""
    return {
        topic: {p: (before.get(topic, {}).get(p, 0), end) for p, end in ends.items()}
        for topic, ends in after.items()
    }


def proof(outside: Connected, stream: Stream, gained: Mapping[str, ledgers.Ranges]) -> Proof:
    """What became of the offsets gained. Raises InfrastructureError."""
    states: Counter[str] = Counter()
    offsets = open_ = conflicting = 0
    for topic in stream.topics:
        ledger = ledgers.topic(
            outside.settings, outside.admin, outside.store, topic, gained[topic]
        )  # fmt: skip
        states.update(ledger.states)
        offsets += sum(end - first for first, end in gained[topic].values())
        open_ += ledger.unaccounted + ledger.in_flight
        conflicting += ledger.conflicting
    absent = states.pop(EndState.ABSENT, 0)
    return Proof(offsets - absent, dict(states), open_, not open_ and not conflicting)
