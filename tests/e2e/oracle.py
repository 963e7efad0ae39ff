"""What must be in the tables: the pure core run over the log, one batch after another, no cache.

`expected` reads a topic through a Source into a MemoryStore; `of_memory` and `of_cassandra` bring
either store into the same form; `differences` says in words what is missing, extra or not equal.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from cassandra.cluster import Session

from stormwatch import notices
from stormwatch.adapters.cassandra_session import open_session
from stormwatch.adapters.store_memory import MemoryStore
from stormwatch.asides import kept
from stormwatch.backlog import Backlog, Limits
from stormwatch.bitmap import offsets
from stormwatch.cache import Entry
from stormwatch.contract import Contract, Policy
from stormwatch.domain import Domain
from stormwatch.offsets import epoch_key, read_epoch
from stormwatch.parse import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Source
from stormwatch.records import EndState, Fragment, Record
from stormwatch.settings import Settings
from stormwatch.stamps import outcome_stamp

BATCH = 700
"""Another cut than the topology's: it must not matter."""
READ_LIMIT_S = 60.0
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


def expected(
    settings: Settings,
    source: Source,
    domain: Domain[Any, Any],
    parse_one: Callable[..., Any],
    kills: Callable[[Record], bool] = lambda record: False,
) -> MemoryStore:
    """The tables that the whole log leads to; a record that `kills` its process is quarantined."""
    store = MemoryStore(settings.layout_period_h)
    policy = Policy(
        settings.lateness_s * 1000, settings.dedup_horizon_s * 1000, settings.dedup_max_ids
    )
    contract = Contract(domain, policy, "oracle")
    for fragment, records in _batches(settings, source, kills):
        if kills(records[0]):
            aside = notices.quarantined(fragment, records[0], settings.quarantine_after, "oracle")
            rows = [kept(row, settings.record_max_bytes) for row in aside.rows]
            store.write_aside(domain.name, rows, aside.ledger, outcome_stamp(fragment))
            continue
        batch = parse_batch(
            fragment,
            records,
            partial(parse_one, future_skew_ms=settings.future_skew_s * 1000),
            component="oracle",
            record_max_bytes=settings.record_max_bytes,
            now=0,
        )
        if batch.rejected:
            rows, ledger = batch.rejected.rows, batch.rejected.ledger
            store.write_aside(domain.name, rows, ledger, outcome_stamp(fragment))
        stripes: dict[int, list[str]] = {}
        for name in {event.entity for _, _, event in batch.parsed.events}:
            stripes.setdefault(stripe_of(name, settings.layout_stripes), []).append(name)
        states = {name: Entry(stripe, b"") for stripe, names in stripes.items() for name in names}
        for name, blob in store.load_states(domain.name, stripes).items():
            states[name] = states[name]._replace(blob=blob)
        outcomes = contract.apply(fragment, batch.parsed, states, 0)
        store.write_outcomes(outcomes)
        store.write_states(domain.name, outcomes.states)
    return store


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


def _batches(
    settings: Settings, source: Source, kills: Callable[[Record], bool]
) -> Iterator[tuple[Fragment, list[Record]]]:
    """Every partition from its oldest record on, cut as a spout may cut; killers stand alone."""
    topic = settings.topic_transactions
    info = source.describe()
    known = read_epoch(source.recall(epoch_key(topic)))
    assert info is not None and known is not None, f"{topic!r} was never read"
    limits = Limits(BATCH, settings.batch_max_bytes, settings.record_max_bytes)
    for partition in range(info.partitions):
        low, high = source.watermarks(partition)
        source.assign({partition: low})
        backlog, position = Backlog(low, limits), low
        deadline = time.monotonic() + READ_LIMIT_S
        while position < high:
            assert time.monotonic() < deadline, f"{topic}[{partition}] stopped at {position}"
            backlog.arrived(source.poll(BATCH, 0.2).get(partition, ()))
            for run in _runs(backlog.take(BATCH), kills):
                last = run[-1].offset
                yield Fragment(topic, partition, known.number, position, last, 1, 0), run
                position = last + 1


def _runs(records: list[Record], kills: Callable[[Record], bool]) -> Iterator[list[Record]]:
    run: list[Record] = []
    for record in records:
        if kills(record):
            if run:
                yield run
            yield [record]
            run = []
        else:
            run.append(record)
    if run:
        yield run


def _add_ends(
    ends: Table, partition: int, epoch: int, first: int, bitmaps: Mapping[str, bytes]
) -> None:
    for state, bits in bitmaps.items():
        for offset in offsets(bits, first):
            key = (partition, epoch, offset)
            ends[key] = ends.get(key, frozenset()) | {state}
