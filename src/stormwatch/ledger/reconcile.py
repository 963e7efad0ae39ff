"""The ledger: proof from stored bitmaps that each Kafka offset has exactly one end state.

Pure: bitmaps in (see `stormwatch.ledger.bitmap`), counts out. Rows of a partition overlap freely
(a batch tried again, another cut of the same offsets): their union counts, and one state said
twice is one. Two *different* states of an offset are an error, and an offset below the committed
one that has none is unaccounted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge

import msgspec
from msgspec.structs import replace

from stormwatch.epochs import all_of, incarnation
from stormwatch.ledger.coverage import BLOCK, Range, Tally
from stormwatch.records import EndState, Fragment, LedgerRow
from stormwatch.stretches import Stretch, without

START = "start"
"""`part` of the row that records where the reading of a partition began (`fragment.first`)."""


class PartitionLedger(msgspec.Struct, frozen=True):
    """Coverage of offsets `first` to `end` - 1 of one partition."""

    partition: int
    first: int
    end: int  # exclusive
    committed: int  # the group's: the next offset to read
    states: dict[str, int]  # end state -> offsets
    unaccounted: int  # below `committed` and without a state: lost, unless this is 0
    in_flight: int  # from `committed` on, without a state yet
    conflicting: int  # offsets with two different states: an error, unless this is 0
    unaccounted_ranges: tuple[Range, ...] = ()  # coverage.EXAMPLES of them at most
    conflicting_ranges: tuple[Range, ...] = ()
    unread: int = 0  # below `committed`, without a state, because the group was moved on by hand
    unread_ranges: tuple[Range, ...] = ()


class TopicLedger(msgspec.Struct, frozen=True):
    """The sums over a topic's partitions."""

    topic: str
    states: dict[str, int]
    unaccounted: int
    in_flight: int
    conflicting: int
    partitions: tuple[PartitionLedger, ...]
    unread: int = 0
    log: str = ""  # that Kafka has now under this name
    known: bool = True  # whether this keyspace has read anything of it

    @property
    def sound(self) -> bool:
        """True when nothing is lost and nothing contradicts. What is unread was passed by hand."""
        return not self.unaccounted and not self.conflicting

    def to_dict(self) -> dict[str, object]:
        """Plain JSON-able form."""
        plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(self))
        return plain | {"sound": self.sound}


def split(row: LedgerRow) -> Iterator[LedgerRow]:
    """`row` cut so that none spans more than BLOCK offsets (Kafka may expire millions at once).

    Nothing where it has no bitmaps: a replay that found everything decided says nothing new.
    """
    if not row.bitmaps:
        return
    fragment = row.fragment
    if fragment.last - fragment.first < BLOCK:
        yield row
        return
    for first in range(fragment.first, fragment.last + 1, BLOCK):
        last = min(first + BLOCK - 1, fragment.last)
        low, high = (first - fragment.first) // 8, (last - fragment.first) // 8 + 1
        cut = {state: bits[low:high] for state, bits in row.bitmaps.items() if bits[low:high]}
        piece = Fragment(
            fragment.topic, fragment.partition, fragment.epoch, first, last,
            fragment.generation, fragment.attempt,
        )  # fmt: skip
        yield LedgerRow(piece, row.part, cut, row.age)


def stretch_rows(
    read: Callable[..., Iterable[LedgerRow]], stretches: Iterable[Stretch],
    starts: Iterable[tuple[int, int]], first: int, end: int,
) -> Iterator[LedgerRow]:  # fmt: skip
    """The rows of a partition's log, ascending by first: of each stretch where it is that log's.

    `read(epoch=, first=, last=)` gives those of an epoch; `starts`: (epoch, offset) as stored.
    """
    begun = sorted({epoch for epoch, _ in starts})
    found = []
    for stretch in stretches:
        low, high = max(first, stretch.first), min(end, stretch.believed_to)
        if low < high:
            own = [epoch for epoch in begun if stretch.of(epoch)]
            for epoch in own or all_of(stretch.incarnation):  # the starts' TTL may have taken them
                found.append(_below(read(epoch=epoch, first=low, last=high - 1), high))
    return merge(*found, key=lambda row: row.fragment.first)


def _below(rows: Iterable[LedgerRow], high: int) -> Iterator[LedgerRow]:
    for row in rows:
        if row.fragment.last >= high:
            yield replace(row, fragment=replace(row.fragment, last=high - 1))
        else:
            yield row


def skipped(stretches: Sequence[Stretch]) -> list[tuple[int, int]]:
    """(first, end) of what was passed by hand and not read later."""
    left: list[tuple[int, int]] = []
    for stretch in sorted(stretches, key=lambda each: each.incarnation):
        read = (stretch.first, stretch.position)
        left = [part for each in left for part in without(each, read)]
        if stretch.skipped < stretch.first:
            left.append((stretch.skipped, stretch.first))
    return left


def epochs(starts: Iterable[tuple[int, int]]) -> list[int]:
    """The epochs of a partition's present log, newest first, from its (epoch, start) pairs."""
    found = sorted({epoch for epoch, _ in starts}, reverse=True)
    return [epoch for epoch in found if incarnation(epoch) == incarnation(found[0])]


def log_rows(
    read: Callable[[int], Iterable[LedgerRow]], starts: Iterable[tuple[int, int]]
) -> Iterator[LedgerRow]:
    """The rows that `read` gives of each epoch of a partition's present log, ascending by first.

    A batch that was under way when partitions were added may be told under the older epoch alone:
    tried again under the younger one it was found decided, and nothing was said twice.
    """
    return merge(*map(read, epochs(starts)), key=lambda row: row.fragment.first)


def segments(
    starts: Sequence[tuple[int, int]], first: int | None, end: int
) -> list[tuple[int, int, int]]:
    """(epoch, first, end) of a partition's present log, from its recorded (epoch, start) pairs.

    Epochs rise when the partition count changes (offsets go on: the older epoch covers what lies
    below the newer's start) and when the topic is recreated (offsets begin anew: older incarnations
    say nothing of this log). `first` None means from the recorded start.
    """
    lowest: dict[int, int] = {}
    for epoch, start in starts:
        lowest[epoch] = min(start, lowest.get(epoch, start))
    kept: list[tuple[int, int]] = []
    for epoch in epochs(starts):
        if not kept or lowest[epoch] < kept[-1][1]:  # else nothing was read under it
            kept.append((epoch, lowest[epoch]))
    if first is not None and kept:
        kept[-1] = (kept[-1][0], min(first, kept[-1][1]))
    out, upper = [], end
    for epoch, start in kept:
        low = start if first is None else max(start, first)
        if low < upper:
            out.append((epoch, low, upper))
        upper = min(upper, start)
    return out[::-1]


def reconcile(
    partition: int, rows: Iterable[LedgerRow], first: int, end: int, committed: int,
    skipped: Sequence[tuple[int, int]] = (),
) -> PartitionLedger:  # fmt: skip
    """Coverage of offsets `first` to `end` - 1 by `rows`, ascending by their first offset.

    Memory is bounded: one window of about a million offsets, whatever the range. Raises ValueError
    on rows out of order, longer than a block (see `split`) or with an unknown state.
    """
    tally = Tally(first, end, committed, skipped)
    for row in rows:
        if row.part != START:
            tally.add(row)
    tally.close_below(end)
    states = {str(s): n for s, n in zip(EndState, tally.states, strict=True) if n}
    return PartitionLedger(
        partition, first, end, committed, states, tally.unaccounted, tally.in_flight,
        tally.conflicting, tuple(tally.lost), tuple(tally.contradictions), tally.unread,
        tuple(tally.passed),
    )  # fmt: skip


def total(
    topic: str, partitions: Iterable[PartitionLedger], log: str = "", *, known: bool = True
) -> TopicLedger:
    """The sums over partitions (or over segments of one)."""
    parts = tuple(partitions)
    states: dict[str, int] = {}
    for part in parts:
        for state, count in part.states.items():
            states[state] = states.get(state, 0) + count
    return TopicLedger(
        topic, {str(s): states[s] for s in EndState if s in states},
        sum(p.unaccounted for p in parts), sum(p.in_flight for p in parts),
        sum(p.conflicting for p in parts), parts, sum(p.unread for p in parts), log, known,
    )  # fmt: skip
