"""Decisions and states into Cassandra, and states out of it cold: what a batch costs.

    PYTHONPATH=src python benchmarks/cassandra_batches.py [--records 60000] [--entities 300000]

against the Cassandra of the settings (`./stormwatch up`, or STORMWATCH_CASSANDRA_PORT). Works in a
keyspace of its own, dropped at the end. The ways to write take turns on the same records: one
INSERT a row (the baseline), single-partition batches bound by the driver, and the store itself.
CPU is this process's, user and system, in microseconds a row.
"""

import argparse
import random
import resource
import statistics
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType

from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.partitioner import stripe_of
from stormwatch.records import DecisionRow, Fragment, LedgerRow, Outcomes, StateRow
from stormwatch.settings import load

HOUR_MS = 3_600_000
CQL = Path(__file__).parents[1] / "schema" / "cql"
PARTITIONS = 4


class Batches:
    """Micro-batches of one Kafka partition each, as score hands them to store."""

    def __init__(self, entities: int, stripes: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._stripes = stripes
        self.entities: dict[int, list[str]] = defaultdict(list)  # Kafka partition -> entities
        for i in range(entities):
            name = f"c{i:07}"
            self.entities[stripe_of(name, PARTITIONS)].append(name)
        self._noise = self._random.randbytes(100_000)
        self._offset = 0

    def blob(self, size: int) -> bytes:
        start = self._random.randrange(len(self._noise) - size)
        return self._noise[start : start + size]

    def make(self, records: int, size: int) -> list[Outcomes]:
        return [self._one(i % PARTITIONS, size) for i in range(records // size)]

    def _one(self, partition: int, size: int) -> Outcomes:
        first = self._offset
        self._offset += size
        now = 1_750_000_000_000 + first * 100
        decisions, states = [], {}
        for i in range(first, first + size):
            entity = self._random.choice(self.entities[partition])
            stripe = stripe_of(entity, self._stripes)
            body = b'{"id":"t%d","entity":"%s","features":[%s],"reasons":[]}' % (
                i, entity.encode(), b",".join(b"%.6f" % self._random.random() for _ in range(30)),
            )  # fmt: skip
            decisions.append(
                DecisionRow(
                    stripe, entity, now + i, f"t{i:09}", "approve", 0.12345, body, now + i,
                    alert=i % 100 == 0,
                )
            )  # fmt: skip
            states[entity] = StateRow(stripe, entity, self.blob(400), i + 1)
        f = Fragment("bench", partition, 0, first, first + size - 1, 1, 0)
        ledger = LedgerRow(
            f, "score", {"scored": bitmap_of(range(f.first, f.last + 1), f.first)}, 9
        )
        return Outcomes(f, "bench", 7, decisions, list(states.values()), [], ledger, [], [])


def store_writes(store: cassandra.CassandraStore, batches: list[Outcomes]) -> None:
    for o in batches:
        store.write_outcomes(o)
        store.write_states(o.domain, o.states)


def single_inserts(store: Any, batches: list[Outcomes]) -> None:
    session, cql, period = store._session, store._cql, store._period_ms
    for o in batches:
        for statement, rows in (
            (cql.decision, [decision(o, r, period) for r in o.decisions]),
            (cql.state, [state(o, r) for r in o.states]),
        ):
            execute_concurrent_with_args(session, statement, rows, concurrency=128)


def bound_batches(store: Any, batches: list[Outcomes]) -> None:
    cql, period = store._cql, store._period_ms
    for o in batches:
        for statement, rows in (
            (cql.decision, [decision(o, r, period) for r in o.decisions]),
            (cql.state, [state(o, r) for r in o.states]),
        ):
            for _ in store._run(grouped(statement, rows)):
                pass


def grouped(statement: Any, rows: list[tuple[Any, ...]]) -> Iterator[Any]:
    groups: dict[tuple[Any, ...], BatchStatement] = {}
    for row in rows:
        key = row[:3] if len(row) > 5 else row[:2]
        groups.setdefault(key, BatchStatement(BatchType.UNLOGGED)).add(statement, row)
    yield from groups.values()


def decision(o: Outcomes, r: DecisionRow, period: int) -> tuple[Any, ...]:
    return (o.domain, r.stripe, r.time // period, r.entity, r.time, r.id, r.outcome, r.score,
            r.body, r.timestamp, r.alert, o.stamp)  # fmt: skip


def state(o: Outcomes, r: StateRow) -> tuple[Any, ...]:
    return (o.domain, r.stripe, r.entity, r.blob, r.stamp)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """(seconds, CPU seconds of this process)."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def report(name: str, unit: str, rates: list[float], costs: list[float]) -> None:
    low, mid, high = min(rates), statistics.median(rates), max(rates)
    cost = statistics.median(costs)
    print(f"{name:<34} {mid:>9,.0f} ({low:,.0f}–{high:,.0f}) {unit}/s   {cost:6.1f} µs CPU",
          flush=True)  # fmt: skip


def writes(store: cassandra.CassandraStore, source: Batches, records: int, rounds: int) -> None:
    ways = (
        ("one INSERT a row", single_inserts),
        ("batches bound by the driver", bound_batches),
        ("the store", store_writes),
    )
    for size in (1000, 100):
        found: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in ways}
        for _ in range(rounds):
            for name, way in ways:
                batches = source.make(records, size)
                rows = sum(len(o.decisions) + len(o.states) for o in batches)
                wall, cpu = measured(lambda: way(store, batches))  # noqa: B023 - called at once
                found[name].append((rows / wall, cpu / rows * 1e6))
        for name, some in found.items():
            report(f"write, {size} records, {name}", "rows", *map(list, zip(*some, strict=True)))


def load_states(store: cassandra.CassandraStore, rows: list[StateRow]) -> None:
    for i in range(0, len(rows), 5000):
        store.write_states("cold", rows[i : i + 5000])


def reads(store: cassandra.CassandraStore, source: Batches, stripes: int, rounds: int) -> None:
    everyone = [name for names in source.entities.values() for name in names]
    rows = [StateRow(stripe_of(e, stripes), e, source.blob(400), 1) for e in everyone]
    wall, cpu = measured(lambda: load_states(store, rows))
    report("load states", "rows", [len(rows) / wall], [cpu / len(rows) * 1e6])
    chooser = random.Random(5)
    for size in (1000, 500, 100, 10, 1):
        rates, costs = [], []
        for _ in range(rounds):
            asked = []
            for i in range(max(20, 10_000 // size)):
                names: dict[int, list[str]] = defaultdict(list)
                for entity in chooser.sample(source.entities[i % PARTITIONS], size):
                    names[stripe_of(entity, stripes)].append(entity)
                asked.append(names)
            keys = size * len(asked)
            wall, cpu = measured(lambda: [store.load_states("cold", n) for n in asked])  # noqa: B023
            rates.append(keys / wall)
            costs.append(cpu / keys * 1e6)
        report(f"cold read, {size} keys", "keys", rates, costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=60_000, help="of each way and round")
    parser.add_argument("--entities", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    settings = replace(
        load(), cassandra_keyspace=f"bench_{uuid.uuid4().hex[:8]}", cassandra_request_timeout_s=20.0
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cassandra.apply(settings, CQL)
    store = cassandra.connect(settings)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"resident: {before:.0f} MB with the driver imported, {after:.0f} MB connected")
    source = Batches(options.entities, settings.layout_stripes, 1)
    try:
        writes(store, source, options.records, options.rounds)
        reads(store, source, settings.layout_stripes, options.rounds)
    finally:
        store._session.execute(f"DROP KEYSPACE {settings.cassandra_keyspace}", timeout=60)
        store.close()


if __name__ == "__main__":
    main()
