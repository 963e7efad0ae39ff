"""Counts end states over a range of offsets, in bounded memory, for
`stormwatch.ledger.reconcile`."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.records import SHARED, EndState, LedgerRow

BLOCK_BITS = 18
BLOCK = 1 << BLOCK_BITS
"""Offsets in one block: a ledger row spans at most this many, so it touches two blocks at most."""

EXAMPLES = 20
"""How many ranges a result names; the counts are always whole."""

N = TypeVar("N", np.uint16, np.int64)

_STATES = tuple(EndState)  # sixteen at most: one bit each of Bits
Bits = np.uint16
_EXPIRED = Bits(1 << _STATES.index(EndState.EXPIRED))
_WINDOW = 4 * BLOCK


class Range(msgspec.Struct, frozen=True):
    """Offsets `first` to `last`, both included, and the end states found there."""

    first: int
    last: int
    states: tuple[str, ...] = ()


class Tally:
    """A window of two bytes an offset that slides over the range; each bit is an end state.

    Below the commit, offsets of `skipped` (first, end) that have no state are unread.

    `expired` counts only where nothing else was said: a batch that was under way when its topology
    ended may have been decided in part, and be deleted from Kafka before it could come again.

    After a repartition the batches of other partitions come between two tries at an offset, and may
    change what becomes of it: the last try that decided it is the one that committed, and stands.
    """

    def __init__(
        self, first: int, end: int, committed: int, skipped: Sequence[tuple[int, int]] = ()
    ) -> None:
        self._base, self._end, self._committed = first, end, committed
        self._skipped = skipped
        self._seen: NDArray[Bits] = np.zeros(max(0, min(_WINDOW, end - first)), Bits)
        self._shared: NDArray[Bits] | None = None  # as `_seen`, of shared parts only
        self._tries: NDArray[np.int64] | None = None  # the try that `_shared` is of
        self._latest = -1
        self.states = [0] * len(_STATES)
        self.unaccounted = self.in_flight = self.conflicting = self.unread = 0
        self.lost: list[Range] = []
        self.passed: list[Range] = []
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
        low, high = max(first, self._base) - self._base, max(last + 1 - self._base, 0)
        shared = row.part.startswith(SHARED)
        target = np.zeros(max(0, high - low), Bits) if shared else self._seen[low:high]
        for state, bits in row.bitmaps.items():
            marked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
            marked = marked[max(0, self._base - first) : max(0, last - first + 1)]
            place = _STATES.index(EndState(state))
            target[: marked.size] |= marked.astype(Bits) << Bits(place)
        if shared:
            self._keep_latest(target, low, row.fragment.generation << 20 | row.fragment.attempt)

    def _keep_latest(self, said: NDArray[Bits], low: int, nth: int) -> None:
        """Let `said`, of try `nth`, replace what older tries said of the same offsets."""
        if self._shared is None or self._tries is None:
            self._shared = np.zeros(len(self._seen), Bits)
            self._tries = np.zeros(len(self._seen), np.int64)
        kept, tries = self._shared[low : low + said.size], self._tries[low : low + said.size]
        newer, same = (said > 0) & (nth > tries), (said > 0) & (nth == tries)
        kept[newer], tries[newer] = said[newer], nth
        kept[same] |= said[same]

    def close_below(self, offset: int) -> None:
        """Count what lies below `offset`: no later row reaches there; slide the window to it."""
        while self._base < offset:
            done = min(offset - self._base, len(self._seen))
            seen = self._seen[:done]
            self._count(_standing(seen if self._shared is None else seen | self._shared[:done]))
            self._base += done
            room = max(0, min(_WINDOW, self._end - self._base))
            self._seen = _slide(self._seen, done, room)
            if self._shared is not None and self._tries is not None:
                self._shared = _slide(self._shared, done, room)
                self._tries = _slide(self._tries, done, room)

    def _count(self, seen: NDArray[Bits]) -> None:
        patterns = np.bincount(seen, minlength=1 << len(_STATES))
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
            unread = lost & self._skips(below)
            lost &= ~unread
            self.unread += int(np.count_nonzero(unread))
            self._name(unread, self.passed, 0)
            self.unaccounted += int(np.count_nonzero(lost))
            self.in_flight += int(np.count_nonzero(seen[below:] == 0))
            self._name(lost, self.lost, 0)

    def _skips(self, count: int) -> NDArray[np.bool_]:
        """Which of the next offsets were passed by hand."""
        found = np.zeros(count, np.bool_)
        for first, end in self._skipped:
            found[max(0, first - self._base) : max(0, end - self._base)] = True
        return found

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


def _standing(seen: NDArray[Bits]) -> NDArray[Bits]:
    """Without `expired` where another state stands, too."""
    others = seen & ~_EXPIRED
    return np.where(others > 0, others, seen)


def _slide(window: NDArray[N], done: int, room: int) -> NDArray[N]:
    """The window without its first `done` offsets, `room` long, zeros behind."""
    moved = np.zeros(room, window.dtype)
    kept = window[done:]
    moved[: kept.size] = kept
    return moved


def covered(rows: Iterable[LedgerRow], first: int, end: int) -> tuple[tuple[int, int], ...]:
    """(first, end) of the runs of offsets that some row has an end state of, ascending.

    Memory: a byte an offset.
    """
    seen = np.zeros(max(0, end - first), np.bool_)
    for row in rows:
        at = row.fragment.first - first
        upto = row.fragment.last + 1 - first
        for bits in row.bitmaps.values():
            marked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").astype(
                np.bool_
            )
            marked = marked[max(0, -at) : max(0, min(upto, seen.size) - at)]
            seen[max(0, at) : max(0, at) + marked.size] |= marked
    edges = np.flatnonzero(np.diff(seen.astype(np.int8), prepend=0, append=0))
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((first + int(low), first + int(high)) for low, high in pairs)
