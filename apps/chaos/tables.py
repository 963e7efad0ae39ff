"""What a topology leaves in its tables, in one form for any store, and how two of them differ."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from cassandra.cluster import Session

from stormwatch.adapters.cassandra_session import open_session
from stormwatch.adapters.store_memory import MemoryStore
from stormwatch.bitmap import offsets
from stormwatch.records import EndState
from stormwatch.settings import Settings

EXAMPLES = 3

Table = dict[tuple[Any, ...], Any]


@dataclass
class Tables:
    """Everything a topology leaves, by key; write timestamps and ages left out."""

    decisions: Table = field(default_factory=dict)
    states: Table = field(default_factory=dict)
    alerts: Table = field(default_factory=dict)
    dead_letters: Table = field(default_factory=dict)
    ends: Table = field(default_factory=dict)
    """(partition, epoch, offset) -> the end states that the ledger has of it."""


def differences(expected: Tables, found: Tables) -> list[str]:
    """One sentence a table and kind of difference; [] where they are equal."""
    said = []
    for each in fields(Tables):
        want, have = getattr(expected, each.name), getattr(found, each.name)
        for word, keys in (
            ("missing", want.keys() - have.keys()),
            ("extra", have.keys() - want.keys()),
            ("different", {key for key in want.keys() & have.keys() if want[key] != have[key]}),
        ):
            if keys:
                some = ", ".join(map(repr, sorted(keys, key=repr)[:EXAMPLES]))
                said.append(f"{each.name}: {len(keys)} {word} of {len(want)}: {some}")
    return said


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
    for (_, place, epoch, first, *_), row in tables.get("ledger", {}).items():
        _add_ends(out.ends, place, epoch, first, row["row"][1].bitmaps)
    return out


def of_cassandra(settings: Settings) -> Tables:
    """The tables of a keyspace, read whole."""
    session = open_session(settings, request_timeout_s=30)
    try:
        return _read_tables(partial(_rows, session, settings.cassandra_keyspace))
    finally:
        session.cluster.shutdown()


def _rows(session: Session, keyspace: str, columns: str, table: str) -> Iterator[tuple[Any, ...]]:
    return iter(session.execute(f"SELECT {columns} FROM {keyspace}.{table}"))


def _read_tables(rows: Callable[[str, str], Iterator[tuple[Any, ...]]]) -> Tables:
    out = Tables()
    place = "domain, stripe, period, entity, time, id"
    for row in rows(f"{place}, outcome, score, body, ktime, alert", "decisions"):
        out.decisions[row[:6]] = row[6:]
    for row in rows("domain, stripe, entity, state", "states"):
        out.states[row[:3]] = row[3]
    place = "domain, topic, partition, ktime, entity, id"
    for row in rows(f"{place}, stripe, time, outcome, score, body", "alerts"):
        out.alerts[row[:6]] = row[6:]
    place = "domain, topic, partition, state, epoch, offset"
    for row in rows(f"{place}, ktime, code, reason, key, raw", "dead_letters"):
        out.dead_letters[row[:6]] = _aside(row[3], *row[6:])
    for where, epoch, first, bitmaps in rows("partition, epoch, first, bitmaps", "ledger"):
        _add_ends(out.ends, where, epoch, first, bitmaps)
    return out


def _aside(
    state: str, ktime: int, code: str, reason: str, key: bytes | None, raw: bytes | None
) -> tuple[object, ...]:
    """What must be equal of a set-aside record: a traceback names files, which lie elsewhere."""
    return (ktime, code, "" if state == EndState.DEAD_LETTERED else reason, key, raw)


def _add_ends(
    ends: Table, partition: int, epoch: int, first: int, bitmaps: Mapping[str, bytes]
) -> None:
    for state, bits in bitmaps.items():
        for offset in offsets(bits, first):
            key = (partition, epoch, offset)
            ends[key] = ends.get(key, frozenset()) | {state}
