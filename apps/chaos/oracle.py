"""What must be in the tables: the pure core run over the log, one batch after another, no cache.

`expected` reads a topic through a Source into a MemoryStore; `tables` brings that and Cassandra
into the same form and says in words what is missing, extra or not equal.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from apps.chaos.errors import ChaosFailed, expect
from stormwatch import notices
from stormwatch.adapters.store_memory import MemoryStore
from stormwatch.asides import kept
from stormwatch.backlog import Backlog, Limits
from stormwatch.cache import Entry
from stormwatch.contract import Contract, Policy
from stormwatch.domain import Domain
from stormwatch.offsets import epoch_key, read_epoch
from stormwatch.parse import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Source
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.stamps import outcome_stamp

BATCH = 700
"""Another cut than the topology's: it must not matter."""
READ_LIMIT_S = 60.0


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


def _batches(
    settings: Settings, source: Source, kills: Callable[[Record], bool]
) -> Iterator[tuple[Fragment, list[Record]]]:
    """Every partition from its oldest record on, cut as a spout may cut; killers stand alone."""
    topic = settings.topic_transactions
    info = source.describe()
    known = read_epoch(source.recall(epoch_key(topic)))
    if info is None or known is None:
        raise ChaosFailed(f"{topic!r} was never read")
    limits = Limits(BATCH, settings.batch_max_bytes, settings.record_max_bytes)
    for partition in range(info.partitions):
        low, high = source.watermarks(partition)
        source.assign({partition: low})
        backlog, position = Backlog(low, limits), low
        deadline = time.monotonic() + READ_LIMIT_S
        while position < high:
            expect(time.monotonic() < deadline, f"{topic}[{partition}] stopped at {position}")
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
