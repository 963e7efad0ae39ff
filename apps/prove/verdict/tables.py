"""Everything a topology leaves, in one form, from memory or from Cassandra by the driver alone."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cassandra.cluster import Session

from apps.prove.verdict.ends import Ends, Try
from stormwatch.adapters.cassandra.session import open_session, translated
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.records import EndState
from stormwatch.settings import Settings

_TIMEOUT_S = 60.0

Table = dict[tuple[Any, ...], Any]


class Written(NamedTuple):
    """A row of the ledger: when was it written?"""

    topic: str
    partition: int
    epoch: int
    first: int
    last: int
    part: str
    age: int  # ms
    nth: Try = (1, 0)


@dataclass
class Tables:
    """By key; write timestamps and ages left out."""

    decisions: Table = field(default_factory=dict)
    """(domain, stripe, period, entity, time, id) -> (outcome, score, body, ktime, alert)"""
    states: Table = field(default_factory=dict)
    alerts: Table = field(default_factory=dict)
    dead_letters: Table = field(default_factory=dict)
    """(domain, topic, partition, state, epoch, offset) -> (ktime, code, reason, key, raw)"""
    ends: Table = field(default_factory=dict)
    """(partition, epoch, offset) -> the end states that the ledger has of it."""


class Stored(NamedTuple):
    """What Cassandra holds of one domain and its topics."""

    tables: Tables
    written: list[Written]
    starts: list[tuple[str, int, int, int]]  # topic, partition, epoch, offset

    def of(self, topic: str) -> "Stored":
        """The same tables; of the ledger's rows those of one topic."""
        return Stored(
            self.tables,
            [row for row in self.written if row.topic == topic],
            [start for start in self.starts if start[0] == topic],
        )


def of_memory(store: MemoryStore) -> Tables:
    """The tables of a MemoryStore."""
    out, tables = Tables(), store.tables
    for key, row in tables.get("decisions", {}).items():
        names = ("outcome", "score", "body", "timestamp", "alert")
        out.decisions[key] = tuple(row[name][1] for name in names)
    for key, row in tables.get("states", {}).items():
        out.states[key] = row["state"][1]
    for key, row in tables.get("alerts", {}).items():
        alert = row["row"][1]
        cells = (alert.stripe, alert.time, alert.outcome, alert.score, bytes(alert.body))
        out.alerts[key] = cells
    for (domain, topic, place, epoch, state, offset), row in tables.get("dead_letters", {}).items():
        aside = row["row"][1]
        out.dead_letters[domain, topic, place, state, epoch, offset] = _aside(
            state, aside.timestamp, aside.code, aside.reason, aside.key, aside.raw
        )
    ends = Ends()
    for (_, place, epoch, first, _, part, *nth), row in tables.get("ledger", {}).items():
        ends.add(place, epoch, first, part, (nth[0], nth[1]), row["row"][1].bitmaps)
    out.ends = ends.table()
    return out


def of_cassandra(settings: Settings) -> Tables:
    """The tables of a keyspace, read whole."""
    return stored(settings).tables


def stored(
    settings: Settings, domain: str | None = None, topics: Collection[str] | None = None
) -> Stored:
    """A keyspace read whole; rows of other domains and topics left out, where some are named.

    Raises StoreUnavailable when Cassandra does not answer, SchemaError for other tables.
    """
    session = open_session(settings, request_timeout_s=_TIMEOUT_S)
    try:
        with translated(settings, "give its tables whole", _TIMEOUT_S):
            return _stored(_Rows(session, settings.cassandra_keyspace), domain, topics)
    finally:
        session.cluster.shutdown()


class _Rows(NamedTuple):
    session: Session
    keyspace: str

    def __call__(self, columns: str, table: str) -> Iterator[tuple[Any, ...]]:
        return iter(self.session.execute(f"SELECT {columns} FROM {self.keyspace}.{table}"))


def _stored(rows: _Rows, domain: str | None, topics: Collection[str] | None) -> Stored:
    out = Tables()

    def wanted(topic: str) -> bool:
        return topics is None or topic in topics

    place = "domain, stripe, period, entity, time, id"
    for row in rows(f"{place}, outcome, score, body, ktime, alert", "decisions"):
        if domain in (None, row[0]):
            out.decisions[row[:6]] = row[6:]
    for row in rows("domain, stripe, entity, state", "states"):
        if domain in (None, row[0]):
            out.states[row[:3]] = row[3]
    place = "domain, topic, partition, ktime, entity, id"
    for row in rows(f"{place}, stripe, time, outcome, score, body", "alerts"):
        if domain in (None, row[0]) and wanted(row[1]):
            out.alerts[row[:6]] = row[6:]
    place = "domain, topic, partition, state, epoch, offset"
    for row in rows(f"{place}, ktime, code, reason, key, raw", "dead_letters"):
        if domain in (None, row[0]) and wanted(row[1]):
            out.dead_letters[row[:6]] = _aside(row[3], *row[6:])
    ends, written = Ends(), []
    columns = "topic, partition, epoch, first, last, part, age, generation, attempt, bitmaps"
    for there, where, epoch, first, last, part, age, *nth, bitmaps in rows(columns, "ledger"):
        if wanted(there):
            ends.add(where, epoch, first, part, (nth[0], nth[1]), bitmaps)
            written.append(Written(there, where, epoch, first, last, part, age, (nth[0], nth[1])))
    out.ends = ends.table()
    starts = [
        (there, where, epoch, first)
        for there, where, epoch, first in rows("topic, partition, epoch, first", "ledger_starts")
        if wanted(there)
    ]
    return Stored(out, written, starts)


def _aside(
    state: str, ktime: int, code: str, reason: str, key: bytes | None, raw: bytes | None
) -> tuple[object, ...]:
    """What must be equal of a set-aside record: a traceback names files, which lie elsewhere."""
    return (ktime, code, "" if state == EndState.DEAD_LETTERED else reason, key, raw)
