"""Where reading of a topic begins: its log, and each partition's start. Never skips silently."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from stormwatch.epochs import epoch_of, incarnation, resizes_of
from stormwatch.errors import TopicError
from stormwatch.ingest import position
from stormwatch.ingest.commit_metadata import (
    Epoch,
    Mark,
    Start,
    epoch_key,
    is_of,
    read_epoch,
    read_mark,
    start_of,
    write_epoch,
)
from stormwatch.ingest.position import NEW, Place
from stormwatch.ledger.coverage import BLOCK, covered
from stormwatch.ledger.reconcile import reconcile, skipped, stretch_rows
from stormwatch.ports import Committed, Source, Store, TopicInfo, Watermarks
from stormwatch.records import Fingerprint
from stormwatch.stretches import FIRST_INCARNATION, Stretch, believed, joined, newest

LOOK_BACK = 10_000
"""Offsets below the commit whose end states are looked for at a start."""
STOP = "stop"
"""The setting `expired`: what to do when Kafka deleted records that were never read."""


class Subscription(NamedTuple):
    """Names: whose offsets of which topic, which `stream` of events a spout reads there."""

    topic: str
    group: str
    expired: str
    stream: str = ""
    kind: str = "Kafka"
    """Of the log, as a sentence names it."""


class Opened(NamedTuple):
    """A partition ready to be read: from `start`, or from `low` where Kafka deleted up to it."""

    start: Start
    low: int
    stretch: Stretch
    said: str = ""


class Known(NamedTuple):
    """What the keyspace knows of a log."""

    log: str
    resizes: int
    stretches: dict[int, tuple[Stretch, ...]]  # by partition, in the order of reading


def open_log(source: Source, store: Store, log: Subscription, info: TopicInfo) -> Known:
    """The topic's log, registered with the keyspace where it is new.

    Tasks that do this at once get the same result. Raises InfrastructureError.
    """
    name = info.topic_id
    stretches = store.stretches(name)
    before = None
    if not stretches:
        before = read_epoch(source.recall(epoch_key(log.topic)))
        before = before if before is not None and before.of(info) else None
    claim = (incarnation(before.number), log.stream) if before is not None else None
    first = store.incarnation(name, 0, claim)
    sized = (before.partitions, resizes_of(before.number)) if before is not None else None
    resizes = store.resizes(name, info.partitions, sized)
    if first < FIRST_INCARNATION:
        older = _older(source, store, log, info, first, stretches)
        store.write_stretches(name, older)
        stretches = [*stretches, *older]
    _tell(source, log, info, epoch_of(first, resizes))
    known: dict[int, tuple[Stretch, ...]] = {}
    for stretch in sorted(stretches, key=lambda each: each.incarnation):
        known[stretch.partition] = (*known.get(stretch.partition, ()), stretch)
    return Known(name, resizes, known)


def _tell(source: Source, log: Subscription, info: TopicInfo, number: int) -> None:
    """Commands that know no store read it in Kafka."""
    epoch = Epoch(number, info.topic_id, info.partitions)
    if read_epoch(source.recall(epoch_key(log.topic))) != epoch:
        source.remember(epoch_key(log.topic), write_epoch(epoch))


def _older(
    source: Source, store: Store, log: Subscription, info: TopicInfo, first: int,
    stretches: Iterable[Stretch],
) -> list[Stretch]:  # fmt: skip
    """Stretches of what was read before the keyspace kept them."""
    begun: dict[int, int] = {}
    for partition, epoch, offset in store.ledger_starts(log.topic):
        if incarnation(epoch) == first:
            begun[partition] = min(offset, begun.get(partition, offset))
    there = {each.partition for each in stretches}
    commits = source.committed(range(info.partitions))
    found = []
    for partition in range(info.partitions):
        mark = _mark(commits.get(partition))
        ours = mark is not None and not mark.log and incarnation(mark.epoch) == first
        if partition in there or not (ours or partition in begun):
            continue
        read_to = commits[partition].offset if ours else begun[partition]
        start = begun.get(partition, source.watermarks(partition).low)
        start = min(start, read_to)
        found.append(Stretch(partition, first, 0, start, start, position=read_to))
    return found


def open_partitions(
    source: Source, store: Store, log: Subscription, known: Known, partitions: Sequence[int],
    generation: int = 0,
) -> dict[int, Opened]:  # fmt: skip
    """How each partition is read: from its commit, else from the oldest record.

    Takes a generation above `generation` and all before. What it says of stretches is stored when
    it returns. Raises TopicError where records that were never read are gone and may not be passed.
    """
    if not partitions:
        return {}
    commits: Mapping[int, Committed] = source.committed(partitions)
    marks = {p: _mark(commits.get(p)) for p in partitions}
    held = {p: source.watermarks(p) for p in partitions}
    cuts = _cuts(source, store, log.topic, known, marks, held, commits)
    opened = {}
    for partition in partitions:
        stretches = known.stretches.get(partition, ())
        place = Place(
            partition, log.group, commits.get(partition), marks[partition], stretches,
            held[partition], cuts.get(partition),
        )  # fmt: skip
        plan = position.plan(place, known.log, log.topic)
        last = marks[partition]
        taken = 1 + max(
            generation, last.generation if last else 0, *(each.generation for each in stretches), 0
        )
        stretch = plan.stretch
        if stretch.incarnation == NEW:
            stretch = replace(stretch, incarnation=store.incarnation(known.log, stretch.nth, None))
        stretch = replace(stretch, generation=taken)
        others = [each for each in stretches if each.incarnation != stretch.incarnation]
        cut = cuts.get(partition)
        if cut is not None:
            others = [replace(each, generation=taken) for each in position.below(others, cut)]
        # Its own first: whatever ends the process between, the cut is found again.
        store.write_stretches(known.log, [stretch])
        if cut is not None:
            store.write_stretches(known.log, others)
        epoch = epoch_of(stretch.incarnation, known.resizes)
        start = start_of(plan.offset, plan.mark, known.log, epoch, taken)
        decided = _decided(store, log.topic, others, stretch, plan.offset)
        start = replace(start, believed=believed(others, stretch), decided=decided)
        low = check_position(log, partition, plan.offset, held[partition])
        said = plan.said
        if plan.mark is not None and stretch.decided_to <= plan.offset:
            said = _gone(store, log, stretches, partition, held[partition].low, plan.offset)
        opened[partition] = Opened(start, low, stretch, said)
    return opened


def _decided(
    store: Store, topic: str, others: Sequence[Stretch], own: Stretch, first: int
) -> tuple[tuple[int, int], ...]:
    """(first, end) of offsets that have an end state and were passed over when decided again."""
    spans = [
        (max(first, each.first), min(each.decided_to, each.position))
        for each in others
        if each.decided_to
    ]
    spans.append((max(first, own.first), own.decided_to))
    spans = [(low, end) for low, end in spans if low < end]
    if not spans:
        return ()
    starts = [(epoch, at) for p, epoch, at in store.ledger_starts(topic) if p == own.partition]
    read = partial(store.ledger, topic, own.partition)
    found: list[tuple[int, int]] = []
    for low, end in spans:
        found += covered(stretch_rows(read, others, starts, low, end), low, end)
    return joined(found)


def _gone(
    store: Store,
    log: Subscription,
    stretches: Sequence[Stretch],
    partition: int,
    low: int,
    committed: int,
) -> str:
    """A sentence where the store has no end state of what was acknowledged last, else ""."""
    begin = min((min(each.first, each.skipped) for each in stretches), default=committed)
    first = max(begin, low, committed - LOOK_BACK)
    starts = [(epoch, at) for p, epoch, at in store.ledger_starts(log.topic) if p == partition]
    read = partial(store.ledger, log.topic, partition)
    rows = stretch_rows(read, stretches, starts, first, committed)
    found = reconcile(partition, rows, first, committed, committed, skipped(stretches))
    if not found.unaccounted:
        return ""
    where = found.unaccounted_ranges[0]
    return (
        f"{log.topic}[{partition}]: {found.unaccounted} of the last {committed - first} offsets "
        f"that were acknowledged have no end state in the store, the first is {where.first}: it "
        "was restored from a backup, or lost data. To have them decided again, stop the topology, "
        f"run `./stormwatch redecide {log.topic}` and start again."
    )


def _mark(commit: Committed | None) -> Mark | None:
    return None if commit is None else read_mark(commit.metadata)


def _cuts(
    source: Source, store: Store, topic: str, known: Known, marks: Mapping[int, Mark | None],
    held: Mapping[int, Watermarks], commits: Mapping[int, Committed],
) -> dict[int, int]:  # fmt: skip
    """Partition -> from where on its log is not the one that was read.

    Compares fingerprints with the records that Kafka holds now, the newest first.
    """
    fingerprints = {p: _fingerprints(known, p, mark) for p, mark in marks.items()}
    for partition, some in fingerprints.items():
        told = _in_ledger(store, topic, known, partition)
        if told is not None and (not some or some[-1].offset < told.offset):
            some.append(told)
    cuts: dict[int, int] = {}
    for partition, mark in marks.items():
        last = newest(known.stretches.get(partition, ()))
        if last is None:
            continue
        read_to = last.position
        if is_of(mark, known.log, known.stretches[partition]) and mark is not None:
            as_written = mark.offset in (-1, commits[partition].offset)
            read_to = max(read_to, commits[partition].offset if as_written else 0)
        if read_to > held[partition].high:
            cuts[partition] = held[partition].low
    left = {partition for partition, some in fingerprints.items() if some}
    while left:
        asked = {partition: fingerprints[partition].pop() for partition in left}
        records = source.peek(
            {partition: fingerprint.offset for partition, fingerprint in asked.items()}
        )
        for partition, fingerprint in asked.items():
            record, marked = records.get(partition), held[partition]
            if fingerprint.offset >= marked.high or (
                record is not None and not fingerprint.fits(record)
            ):
                cuts[partition] = marked.low
            elif record is not None:
                left.discard(partition)
                if partition in cuts:
                    cuts[partition] = fingerprint.offset + 1
            if not fingerprints[partition]:
                left.discard(partition)
    return cuts


def _in_ledger(store: Store, topic: str, known: Known, partition: int) -> Fingerprint | None:
    """The newest fingerprint of what was decided but not committed when the last process ended."""
    last = newest(known.stretches.get(partition, ()))
    if last is None:
        return None
    found = [
        row.fragment.fingerprint
        for resizes in range(known.resizes + 1)
        for row in store.ledger(
            topic, partition, epoch_of(last.incarnation, resizes), last.position,
            last.position + BLOCK - 1,
        )
        if row.fragment.fingerprint is not None
    ]  # fmt: skip
    return max(found, key=lambda fingerprint: fingerprint.offset, default=None)


def _fingerprints(known: Known, partition: int, mark: Mark | None) -> list[Fingerprint]:
    """Ascending; those above where the log was cut before are of what is gone."""
    stretches = known.stretches.get(partition, ())
    found = {
        fingerprint.offset: fingerprint
        for each in stretches
        for fingerprint in each.fingerprints
        if fingerprint.offset < each.believed_to
    }
    if mark is not None and mark.fingerprint is not None and is_of(mark, known.log, stretches):
        own = next((each for each in stretches if each.of(mark.epoch)), None)
        if own is not None and mark.fingerprint.offset < own.believed_to:
            found[mark.fingerprint.offset] = mark.fingerprint
    return [found[offset] for offset in sorted(found)]


def check_position(log: Subscription, partition: int, offset: int, marks: Watermarks) -> int:
    """The offset to go on at: `offset`, or the oldest where Kafka deleted records before that.

    Raises TopicError for deleted ones under `stop`.
    """
    if offset < marks.low and log.expired == STOP:
        raise TopicError(
            f"partition {partition} of topic {log.topic!r}: Kafka deleted offsets {offset} to "
            f"{marks.low - 1} before they were read (retention). Set expired=resume to count them "
            "as expired and go on; give the topic a longer retention to keep them."
        )
    return max(offset, marks.low)
