"""Counts end states over a range of offsets in bounded memory; `stormwatch.ledger` uses it."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.records import EndState, LedgerRow

BLOCK_BITS = 18
BLOCK = 1 << BLOCK_BITS
"""Offsets in one block: a ledger row spans at most this many, so it touches two blocks at most."""

EXAMPLES = 20
"""How many ranges a result names; the counts are always whole."""

_STATES = tuple(EndState)  # eight: one bit each of a byte
_WINDOW = 4 * BLOCK


class Range(msgspec.Struct, frozen=True):
    """Offsets `first` to `last`, both included, and the end states found there."""

    first: int
    last: int
    states: tuple[str, ...] = ()


class Tally:
    """A window of one byte an offset that slides over the range; each bit is an end state."""

    def __init__(self, first: int, end: int, committed: int) -> None:
        self._base, self._end, self._committed = first, end, committed
        self._seen: NDArray[np.uint8] = np.zeros(max(0, min(_WINDOW, end - first)), np.uint8)
        self._latest = -1
        self.states = [0] * len(_STATES)
        self.unaccounted = self.in_flight = self.conflicting = 0
        self.lost: list[Range] = []
        self.contradictions: list[Range] = []

    def add(self, row: LedgerRow) -> None:
        """Mark what the row says. Rows come ascending by first offset."""
        first, last = row.fragment.first, min(row.fragment.last, self._end - 1)
        if first < self._latest:
            raise ValueError(f"ledger rows out of order: {first} after {self._latest}")
        if row.fragment.last - first >= BLOCK:
            raise ValueError(f"ledger row {first} to {row.fragment.last} is longer than {BLOCK}")
        self._latest = first
        while last >= self._base + len(self._seen):
            self.close_below(min(first, self._base + len(self._seen)))
        for state, bits in row.bitmaps.items():
            marked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
            marked = marked[max(0, self._base - first) : max(0, last - first + 1)]
            low = max(first, self._base) - self._base
            place = _STATES.index(EndState(state))
            self._seen[low : low + marked.size] |= marked << np.uint8(place)

    def close_below(self, offset: int) -> None:
        """Count what lies below `offset`: no later row reaches there; slide the window to it."""
        while self._base < offset:
            done = min(offset - self._base, len(self._seen))
            self._count(self._seen[:done])
            self._base += done
            room = min(_WINDOW, self._end - self._base)
            kept = self._seen[done:]
            self._seen = np.zeros(max(0, room), np.uint8)
            self._seen[: kept.size] = kept

    def _count(self, seen: NDArray[np.uint8]) -> None:
        patterns = np.bincount(seen, minlength=256)
        for pattern in np.flatnonzero(patterns):
            count = int(patterns[pattern])
            for place in range(len(_STATES)):
                if pattern >> place & 1:
                    self.states[place] += count
            if int(pattern).bit_count() > 1:
                self.conflicting += count
                self._name(seen == pattern, self.contradictions, int(pattern))
        if patterns[0]:
            below = max(0, min(len(seen), self._committed - self._base))
            lost = seen[:below] == 0
            self.unaccounted += int(np.count_nonzero(lost))
            self.in_flight += int(np.count_nonzero(seen[below:] == 0))
            self._name(lost, self.lost, 0)

    def _name(self, where: NDArray[np.bool_], ranges: list[Range], pattern: int) -> None:
        """The first runs of true in `where` as ranges."""
        if len(ranges) >= EXAMPLES:
            return
        edges = np.flatnonzero(np.diff(where.astype(np.int8), prepend=0, append=0))
        named = tuple(str(s) for i, s in enumerate(_STATES) if pattern >> i & 1)
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            if len(ranges) >= EXAMPLES:
                return
            ranges.append(Range(self._base + int(low), self._base + int(high) - 1, named))
