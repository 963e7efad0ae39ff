"""Which record of a shard has which offset: counted from anchors that the store keeps."""

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from stormwatch.adapters.kinesis.client import (
    Absent,
    Client,
    Expired,
    Got,
    Shard,
    Throttled,
    Trimmed,
)
from stormwatch.cursors import Anchor, Cursor
from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Store, Watermarks

T = TypeVar("T")

GAP = 1 << 20
"""How far the count jumps where records were lost unread, however many they were: what was decided
and not committed when its process died had offsets behind the position, and none is used twice."""
APART = 10_000
"""Records between two anchors: so far is counted on from one to find an offset."""
_EMPTY_ANSWERS = 100
"""A shard that is not at its end may answer without records, AWS says; not for ever."""


class Counting:
    """Anchors of one shard, ascending; those of the group's cursor and of this process, too."""

    def __init__(
        self, client: Client, store: Callable[[], Store], log: str, shard: Shard,
        cursor: Cursor | None,
    ) -> None:  # fmt: skip
        self._client, self._store, self._log, self.shard = client, store, log, shard
        kept = {each.offset: each for each in store().anchors(log, shard.number)}
        self._stored = max(kept, default=-1)
        if cursor is not None and cursor.sequence and cursor.offset:
            kept.setdefault(cursor.offset - 1, Anchor(cursor.offset - 1, cursor.sequence))
        self._anchors = [kept[offset] for offset in sorted(kept)]
        self._new: deque[Anchor] = deque()  # of what was read here and is not committed yet

    def before(self, offset: int) -> Anchor | None:
        """The nearest known record at the offset or before it."""
        found = None
        for each in (*self._anchors, *self._new):
            if each.offset > offset:
                break
            found = each
        return found

    def read(self, first: int, records: list[Got]) -> None:
        """Records that came, `first` the offset of the first. What nobody has counted yet is
        anchored in the store before anything of it is given. Raises StoreUnavailable, Trimmed."""
        if records and not self._anchors:
            wanted = Anchor(first, records[0].sequence)
            if self.settle(wanted) != wanted:
                raise Trimmed("somebody else began to count at an older record")
        self._new.extend(Anchor(first + n, each.sequence) for n, each in enumerate(records))

    def settle(self, wanted: Anchor) -> Anchor:
        """Keep an anchor that all readers share. Raises StoreUnavailable."""
        kept = self._store().anchor(self._log, self.shard.number, wanted)
        self._stored = max(self._stored, kept.offset)
        self._anchors = sorted({*self._anchors, kept})
        return kept

    def committed(self, offset: int) -> str:
        """The sequence number of the last record before `offset`, "" where it is not known; what
        lies before it is forgotten but for an anchor every APART records."""
        found = self.before(offset - 1)
        while self._new and self._new[0].offset < offset - 1:
            self._new.popleft()
        if found is None or found.offset != offset - 1:
            return ""
        if offset - 1 >= self._stored + APART:
            self.settle(found)
        return found.sequence

    def seek(self) -> None:
        """Reading goes on elsewhere: what was read and not committed is read anew."""
        self._new.clear()

    def watermarks(self) -> Watermarks:
        """Counts to the end, or for APART records: the end is there or further.

        Where all that is anchored was trimmed the count jumps on by GAP. Raises BrokerUnavailable.
        """
        oldest = self._first(_patiently(lambda: self._client.iterator(self.shard)))
        known = [*self._anchors, *self._new]
        if oldest is None:
            high = known[-1].offset + 1 if known else 0
            return Watermarks(high if known else 0, high)
        if not known:
            known = [self.settle(Anchor(0, oldest.sequence))]
        left = [each for each in known if int(each.sequence) >= int(oldest.sequence)]
        if not left:
            left = [self.settle(Anchor(known[-1].offset + GAP, oldest.sequence))]
        low = left[0].offset
        return Watermarks(low, left[-1].offset + self._count(left[-1]))

    def _first(self, iterator: str) -> Got | None:
        onward: str | None = iterator
        for _ in range(_EMPTY_ANSWERS):
            if onward is None:
                break
            records, onward, whole = self._records(onward, 1)
            if records:
                return records[0]
            if whole:
                break
        return None

    def _count(self, anchor: Anchor) -> int:
        counted = 0
        more: str | None = _patiently(lambda: self._client.iterator(self.shard, at=anchor.sequence))
        while more is not None and counted < APART:
            records, more, whole = self._records(more, APART)
            counted += len(records)
            if whole:
                break
        return counted

    def _records(self, iterator: str, limit: int) -> tuple[list[Got], str | None, bool]:
        return _patiently(lambda: self._client.records(iterator, limit))


def _patiently(call: Callable[[], T]) -> T:
    """Slower where Kinesis says so. Raises BrokerUnavailable where that does not help."""
    for pause in (0.2, 0.4, 0.8, 1.6):
        try:
            return call()
        except Throttled:
            time.sleep(pause)
        except (Absent, Expired, Trimmed) as error:
            raise BrokerUnavailable(f"Kinesis changed while it was looked at: {error}") from error
    raise BrokerUnavailable("Kinesis told again and again to ask less often; trying again.")
