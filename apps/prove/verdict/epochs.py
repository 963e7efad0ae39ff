"""Rows of batches that were under way when partitions were added: of the older epoch. Pure."""

from collections.abc import Sequence

from apps.prove.verdict.oracle import Span
from apps.prove.verdict.tables import Table, Tables
from stormwatch.epochs import incarnation


def aligned(tables: Tables, spans: Sequence[Span]) -> None:
    """Give end states and rows set aside the epoch under which the log counts their offsets.

    A batch may be told under the older epoch alone: tried again under the younger one it was found
    decided. Offsets run on when partitions are added, so both name the same record.
    """
    ends: Table = {}
    for (partition, epoch, offset), said in tables.ends.items():
        at = partition, _epoch(spans, partition, epoch, offset), offset
        ends[at] = ends.get(at, frozenset()) | said
    tables.ends = ends
    letters = tables.dead_letters
    for key in list(letters):
        domain, topic, partition, state, epoch, offset = key
        mine = _epoch(spans, partition, epoch, offset)
        place = domain, topic, partition, state, mine, offset
        if place != key and letters.get(place, letters[key]) == letters[key]:
            letters[place] = letters.pop(key)


def _epoch(spans: Sequence[Span], partition: int, epoch: int, offset: int) -> int:
    for span in spans:
        same = incarnation(span.epoch) == incarnation(epoch)
        if same and span.partition == partition and span.first <= offset < span.end:
            return span.epoch
    return epoch
