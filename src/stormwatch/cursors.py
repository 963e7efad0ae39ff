"""Counting the records of a log that gives them no offsets: what a store keeps of it.

Offset n is the n-th record of a partition in reading order, from the first that anybody read on.
An *anchor* says which record that is by the log's own number for it; from the anchor before, any
other is found by counting on. So what is counted once keeps its offset, whoever reads it again.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Anchor(NamedTuple):
    """A record of a partition that is counted: its offset, and what the log itself calls it."""

    offset: int
    sequence: str  # opaque to all but the adapter


class Cursor(NamedTuple):
    """Where a group's reading of a partition stands, of a log that keeps no offsets."""

    offset: int  # as `Committed` has it
    metadata: str
    sequence: str  # of record offset - 1, "" where it is not known
    ended: int | None = None  # the log has closed the partition: there is no record from here on


class Cursors(Protocol):
    """Every method raises StoreUnavailable when the store does not confirm in time."""

    def cursors(self, log: str, reader: str) -> dict[int, Cursor]:
        """Where the group `reader` stands in a log that keeps no offsets, by partition."""

    def write_cursors(self, log: str, reader: str, cursors: Mapping[int, Cursor]) -> None:
        """Keep them; returns when all are confirmed. Without `ended` what was kept of it stays."""

    def anchors(self, log: str, partition: int) -> list[Anchor]:
        """What is known of which offset is which record, ascending."""

    def anchor(self, log: str, partition: int, wanted: Anchor) -> Anchor:
        """Keep it if nobody has kept another one of its offset; the one that is kept."""
