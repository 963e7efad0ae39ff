"""Proof from Kafka and Cassandra that each offset of a topic has exactly one end state."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from apps.data.streams import all_topics
from stormwatch.ingest.commit_metadata import is_of, read_mark
from stormwatch.ledger.reconcile import (
    PartitionLedger,
    TopicLedger,
    reconcile,
    skipped,
    stretch_rows,
    total,
)
from stormwatch.ports import Admin, Committed, Store
from stormwatch.records import LedgerRow
from stormwatch.settings import Settings
from stormwatch.stretches import Stretch

Ranges = Mapping[int, tuple[int, int]]
"""Partition -> first offset and end (exclusive)."""


def topics(
    settings: Settings, admin: Admin, store: Store, names: Sequence[str] | None = None
) -> list[TopicLedger]:
    """The ledgers of these topics, by default of the input topics that exist.

    Raises BrokerUnavailable or StoreUnavailable.
    """
    wanted = names or all_topics(settings)
    there = [name for name in wanted if names or admin.describe(name) is not None]
    return [topic(settings, admin, store, name) for name in there]


def topic(
    settings: Settings, admin: Admin, store: Store, name: str, ranges: Ranges | None = None
) -> TopicLedger:
    """One topic's ledger, from where its reading began to its end, or of `ranges` alone.

    It is of the log that Kafka has now under this name: what was decided of another one, or of
    records that were cut away, does not count, and of a log that this keyspace has never read all
    is in flight. Taken while the topology runs it is a bound: the commits are asked first, then
    what is stored, so `unaccounted` is exact and `in_flight` may be too high. Raises
    BrokerUnavailable or StoreUnavailable.
    """
    info = admin.describe(name)
    commits, marks = admin.committed(settings.kafka_group, name), admin.watermarks(name)
    log = Read.of(store, name, info.topic_id if info else "")
    parts: list[PartitionLedger] = []
    for partition, mark in sorted(marks.items()):
        stretches = log.stretches.get(partition, ())
        span = (log.begin(partition, mark.low), mark.high) if ranges is None else ranges.get(
            partition
        )  # fmt: skip
        if span is None or span[0] >= span[1]:
            continue
        first, end = span
        rows = log.rows(store, partition, first, end)
        upto = log.committed(commits.get(partition), partition, mark.low)
        parts.append(reconcile(partition, rows, first, end, upto, skipped(stretches)))
    return total(name, parts, log.name, known=bool(log.stretches))


class Read(NamedTuple):
    """What a keyspace has read of a log."""

    topic: str
    name: str  # of the log
    stretches: dict[int, tuple[Stretch, ...]]
    starts: dict[int, list[tuple[int, int]]]

    @classmethod
    def of(cls, store: Store, topic: str, name: str) -> "Read":
        """Raises StoreUnavailable."""
        stretches: dict[int, tuple[Stretch, ...]] = {}
        for each in store.stretches(name) if name else ():
            stretches[each.partition] = (*stretches.get(each.partition, ()), each)
        starts: dict[int, list[tuple[int, int]]] = {}
        for partition, epoch, offset in store.ledger_starts(topic):
            starts.setdefault(partition, []).append((epoch, offset))
        return cls(topic, name, stretches, starts)

    def begin(self, partition: int, low: int) -> int:
        """The lowest offset that was read, or passed by hand; `low` where none was."""
        some = self.stretches.get(partition, ())
        return min((min(each.first, each.skipped) for each in some), default=low)

    def rows(self, store: Store, partition: int, first: int, end: int) -> Iterator[LedgerRow]:
        """The partition's rows, ascending by first. Raises StoreUnavailable."""
        read = partial(store.ledger, self.topic, partition)
        some = self.stretches.get(partition, ())
        return stretch_rows(read, some, self.starts.get(partition, ()), first, end)

    def committed(self, commit: Committed | None, partition: int, low: int) -> int:
        """The group's offset where it is of this log and something of that was read; else `low`."""
        stretches = self.stretches.get(partition, ())
        if commit is None or not stretches:
            return low
        mark = read_mark(commit.metadata)
        return commit.offset if mark is None or is_of(mark, self.name, stretches) else low
