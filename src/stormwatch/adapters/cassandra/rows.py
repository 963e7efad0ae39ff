"""Rows as prepared statements with values already in Cassandra's wire form: the hot path.

The driver's own `bind` costs more than all the rest of a row; the types here are few and fixed,
so rows are packed directly (benchmarks/cassandra_batches.py compares). Rows of one Cassandra
partition go into one UNLOGGED batch; every statement carries its write timestamp.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, BoundStatement

from stormwatch.records import DecisionKey, DecisionRow, Outcomes, SetAside, StateRow, day_of
from stormwatch.state import decided

BATCH_ROWS = 100
BATCH_BYTES = 128 * 1024  # far below Cassandra's limit of a mutation, 16 MiB
ROW_BYTES = 200  # of a row beside its large values
SHARED_BYTES, SHARED_BYTES_MAX = 4500, 24_000
"""Of a batch over several partitions. Above batch_size_warn_threshold, 5 KiB unless it was changed,
Cassandra fills its log with warnings; up to the greater size fewer requests pay."""
SHARED_PARTITIONS, SHARED_PARTITIONS_MAX = 10, 64
"""It warns above so many, too: unlogged_batch_across_partitions_warn_threshold, 10 by default."""
SHARED_PARTITIONS_SYNCED = 4
"""At most, where a write waits until the commit log is synced: Cassandra applies such a batch one
partition after the other, and each waits anew. Fewer cost more requests than they save waits."""
HOUR_MS = 3_600_000

int32 = Struct(">i").pack
int64 = Struct(">q").pack
float64 = Struct(">d").pack
_TRUE, _FALSE = b"\x01", b"\x00"
_TUPLE_TIME = int32(8)

Values = list[Any]  # bytes in wire form, or UNSET_VALUE


class Shared(NamedTuple):
    """How large a batch over several Cassandra partitions may be."""

    bytes: int
    partitions: int


SMALL = Shared(SHARED_BYTES, SHARED_PARTITIONS)


class Part(NamedTuple):
    """Rows of one Cassandra partition."""

    prepared: Any
    rows: Sequence[Values]
    heaviest: int  # bytes of the largest row's large values


def shared(warn_bytes: str | None, warn_partitions: str | None, sync: str | None) -> Shared:
    """As large as the server, by its own words, takes without a warning.

    `sync` is its setting commitlog_sync.
    """
    told = re.fullmatch(r"(\d+)(B|KiB|MiB)", warn_bytes or "")
    most = SHARED_BYTES
    if told is not None:
        limit = int(told[1]) << {"B": 0, "KiB": 10, "MiB": 20}[told[2]]
        most = min(limit * 9 // 10, SHARED_BYTES_MAX)
    partitions = SHARED_PARTITIONS
    if warn_partitions and warn_partitions.isdecimal():
        partitions = max(1, min(int(warn_partitions), SHARED_PARTITIONS_MAX))
    if sync in ("group", "batch"):
        partitions = min(partitions, SHARED_PARTITIONS_SYNCED)
    return Shared(most, partitions)


def batches(parts: Iterable[Part], limits: Shared = SMALL) -> Iterator[Any]:
    """UNLOGGED batches: of one partition each, but small parts share one.

    Within one partition a batch is one write. A batch over partitions saves requests only; it is
    kept within `limits`.
    """
    shared, size, partitions = _batch(), 0, 0
    for prepared, rows, heaviest in parts:
        weight = len(rows) * (heaviest + ROW_BYTES)
        if weight > limits.bytes // 2:
            most = max(1, min(BATCH_ROWS, BATCH_BYTES // (heaviest + ROW_BYTES)))
            for low in range(0, len(rows), most):
                batch = _batch()
                _fill(batch, prepared, rows[low : low + most])
                yield batch
            continue
        if size + weight > limits.bytes or partitions == limits.partitions:
            yield shared
            shared, size, partitions = _batch(), 0, 0
        _fill(shared, prepared, rows)
        size += weight
        partitions += 1
    if partitions:
        yield shared


def _batch() -> Any:
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.is_idempotent = True
    return batch


def _fill(batch: Any, prepared: Any, rows: Sequence[Values]) -> None:
    bound = BoundStatement(prepared)
    for values in rows:
        bound.values = values  # the batch keeps the list, not the statement
        batch.add(bound)


def execution(prepared: Any, values: Values) -> Any:
    """One prepared statement with values in wire form."""
    bound = BoundStatement(prepared)
    bound.values = values
    return bound


def decision_rows(
    domain: bytes, stamp: int, period_ms: int, rows: Sequence[DecisionRow]
) -> Iterator[list[Values]]:
    """Rows of `decisions`, one list a Cassandra partition."""
    when = int64(stamp)
    groups: dict[tuple[int, int], list[Values]] = {}
    for r in rows:
        place = (r.stripe, r.time // period_ms)
        group = groups.get(place)
        if group is None:
            group = groups[place] = []
        group.append([
            domain, int32(place[0]), int32(place[1]), r.entity.encode(), int64(r.time),
            r.id.encode(), r.outcome.encode(), float64(r.score), r.body, int64(r.timestamp),
            _TRUE if r.alert else _FALSE, when,
        ])  # fmt: skip
    return iter(groups.values())


def alert_rows(
    domain: bytes, stamp: int, topic: str, partition: int, rows: Sequence[DecisionRow]
) -> dict[int, list[Values]]:
    """day -> rows of `alerts`."""
    place, when = (topic.encode(), int32(partition)), int64(stamp)
    groups: dict[int, list[Values]] = {}
    for r in rows:
        day = day_of(r.timestamp)
        groups.setdefault(day, []).append([
            domain, int32(day), *place, int32(r.stripe), r.entity.encode(), int64(r.time),
            r.id.encode(), r.outcome.encode(), float64(r.score), r.body, int64(r.timestamp), when,
        ])  # fmt: skip
    return groups


def decided_rows(o: Outcomes) -> Iterator[tuple[int, list[Values], int]]:
    """(quarter, rows of `decided`, bytes of the largest), one a Cassandra partition."""
    f = o.fragment
    place = (f.topic.encode(), int32(f.partition))
    work = (
        int32(f.epoch), int64(f.first), int64(f.last), o.ledger.part.encode(),
        int32(f.generation), int32(f.attempt),
    )  # fmt: skip
    groups: dict[int, list[Values]] = {}
    for slot, entries in decided.slots(o.decisions).items():
        quarter = decided.quarter_of(slot * decided.SLOT_MS)
        groups.setdefault(quarter, []).append([
            o.domain.encode(), int32(quarter), *place, int64(slot), *work, entries, int64(o.stamp),
        ])  # fmt: skip
    for quarter, rows in groups.items():
        yield quarter, rows, max(len(row[-2]) for row in rows)


def aside_rows(
    domain: bytes, stamp: int, topic: str, partition: int, epoch: int, rows: Sequence[SetAside]
) -> dict[int, list[Values]]:
    """day -> rows of `dead_letters`."""
    place, when = (topic.encode(), int32(partition)), int64(stamp)
    groups: dict[int, list[Values]] = {}
    for r in rows:
        day = day_of(r.timestamp)
        groups.setdefault(day, []).append([
            domain, int32(day), *place, r.state.encode(), int32(epoch), int64(r.offset),
            int64(r.timestamp), r.code.encode(), r.reason.encode(), r.component.encode(),
            UNSET_VALUE if r.key is None else r.key, UNSET_VALUE if r.raw is None else r.raw, when,
        ])  # fmt: skip
    return groups


def state_rows(domain: bytes, rows: Sequence[StateRow]) -> Iterator[list[Values]]:
    """Rows of `states`, one list a Cassandra partition."""
    groups: dict[int, list[Values]] = {}
    for r in rows:
        group = groups.get(r.stripe)
        if group is None:
            group = groups[r.stripe] = []
        group.append([domain, int32(r.stripe), r.entity.encode(), r.blob, int64(r.stamp)])
    return iter(groups.values())


def text_list(texts: Sequence[str]) -> bytes:
    """list<text> in wire form."""
    parts = [int32(len(texts))]
    for text in texts:
        raw = text.encode()
        parts += (int32(len(raw)), raw)
    return b"".join(parts)


def key_list(keys: Sequence[DecisionKey]) -> bytes:
    """list<frozen<tuple<text, bigint, text>>> of (entity, time, id) in wire form."""
    parts = [int32(len(keys))]
    for key in keys:
        entity, name = key.entity.encode(), key.id.encode()
        parts += (
            int32(len(entity) + len(name) + 20), int32(len(entity)), entity,
            _TUPLE_TIME, int64(key.time), int32(len(name)), name,
        )  # fmt: skip
    return b"".join(parts)
