"""Proof from Kafka and Cassandra that each offset of a topic has exactly one end state."""

from collections.abc import Mapping, Sequence
from functools import partial

from apps.data.streams import every
from stormwatch.ledger.reconcile import (
    PartitionLedger,
    TopicLedger,
    log_rows,
    reconcile,
    segments,
    total,
)
from stormwatch.ports import Admin, Store, Watermarks
from stormwatch.settings import Settings

Ranges = Mapping[int, tuple[int, int]]
"""Partition -> first offset and end (exclusive)."""


def topics(
    settings: Settings, admin: Admin, store: Store, names: Sequence[str] | None = None
) -> list[TopicLedger]:
    """The ledgers of these topics, by default of the input topics that exist.

    Raises BrokerUnavailable or StoreUnavailable.
    """
    wanted = names or [stream.topic for stream in every(settings)]
    there = [name for name in wanted if names or admin.describe(name) is not None]
    return [topic(settings, admin, store, name) for name in there]


def topic(
    settings: Settings, admin: Admin, store: Store, name: str, ranges: Ranges | None = None
) -> TopicLedger:
    """One topic's ledger, from where its reading began to its end, or of `ranges` alone.

    Taken while the topology runs it is a bound: the commits are asked first, then what is stored,
    so `unaccounted` is exact and `in_flight` may be too high. Raises BrokerUnavailable or
    StoreUnavailable.
    """
    committed = {p: c.offset for p, c in admin.committed(settings.kafka_group, name).items()}
    marks = admin.watermarks(name)
    starts: dict[int, list[tuple[int, int]]] = {}
    for partition, epoch, offset in store.ledger_starts(name):
        starts.setdefault(partition, []).append((epoch, offset))
    parts: list[PartitionLedger] = []
    for partition, mark in sorted(marks.items()):
        span = _span(mark, ranges, partition)
        if span is None:
            continue
        first, end = span
        # Without a start nothing was read yet, or so long ago that the ledger's TTL took it.
        known = starts.get(partition) or [(0, mark.low)]
        for _, low, high in segments(known, first, end):
            rows = log_rows(partial(store.ledger, name, partition, first=low, last=high - 1), known)
            upto = committed.get(partition, low)
            parts.append(reconcile(partition, rows, low, high, upto))
    return total(name, parts)


def _span(mark: Watermarks, ranges: Ranges | None, partition: int) -> tuple[int | None, int] | None:
    if ranges is None:
        return None, mark.high
    return ranges.get(partition)
