"""The real fraud topology in the runner, in simulated time, with Kafka and the store in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import pytest

from apps import ledger
from apps.chaos import oracle, tables
from apps.dev import world
from apps.dev.load import topology
from stormwatch.adapters.kafka_memory import MemoryAdmin, MemorySource
from stormwatch.adapters.memory import World
from stormwatch.adapters.store_memory import Fault as StoreFault
from stormwatch.adapters.task_time import simulated
from stormwatch.fraud import Fraud
from stormwatch.fraud.parse import parse
from stormwatch.ledger import TopicLedger
from stormwatch.runner import plan as plans
from stormwatch.runner.clock import SimulatedClock
from stormwatch.runner.engine import Engine, Rules
from stormwatch.runner.events import Event
from stormwatch.runner.faults import Faults
from stormwatch.runner.plan import Plan
from stormwatch.runner.threads import Threads
from stormwatch.settings import load, to_conf
from tests.e2e.project import ROOT

LIMIT_S = 20_000.0
"""Of simulated time: time-outs of 60 to 120 s, slow starts and back-offs add up."""
SETTINGS = {
    "STORMWATCH_BATCH_MAX_RECORDS": "40",
    "STORMWATCH_KAFKA_PARTITIONS": "3",
    "STORMWATCH_CASSANDRA_REQUEST_TIMEOUT_S": "1",
    "STORMWATCH_TOPOLOGY_WORK_TIMEOUT_S": "3",
    "STORMWATCH_TOPOLOGY_MESSAGE_TIMEOUT_S": "5",
    "STORMWATCH_QUARANTINE_AFTER": "1000",  # what dies here dies of planted faults
}
CONFIG = {
    "topology.message.timeout.secs": 5,
    "topology.sleep.spout.wait.strategy.time.ms": 50,  # idle time passes in few steps
}


@dataclass
class Ran:
    """How a run ended."""

    differences: list[str]
    ledger: TopicLedger
    events: list[Event]
    happened: list[str]
    seconds: float
    decided: dict[str, str] = field(default_factory=dict)  # id -> outcome


def run(
    monkeypatch: pytest.MonkeyPatch,
    records: Iterable[tuple[bytes, bytes | None]],
    faults: Callable[[Plan], Faults],
    *,
    seed: int = 1,
    together: bool = False,
    store_faults: Iterable[StoreFault] = (),
) -> Ran:
    """Until every record is committed; then compared with the pure core over the same log."""
    monkeypatch.chdir(ROOT / "tests")  # no stormwatch.toml, no running services
    for name, value in (world.MEMORY | SETTINGS).items():
        monkeypatch.setenv(name, value)
    settings = load()
    events: list[Event] = []
    with world.opened(settings, lambda outcomes: None, simulated=True) as made:
        for key, value in records:
            made.broker.append(settings.topic_transactions, key, value)
        made.store.faults = list(store_faults)
        clock, random = SimulatedClock(), Random(seed)
        plan = plans.read(topology(ROOT, "fraud"), "fraud", to_conf(settings) | CONFIG)
        planted = faults(plan)
        engine = Engine(
            plan, Threads(plan, clock, random), clock, random, watch=events.append,
            faults=planted, rules=Rules(deaths=10_000, together=together),
        )  # fmt: skip
        with simulated(clock):
            engine.start()
            engine.run(LIMIT_S, lambda: _committed(made, settings.topic_transactions))
            engine.stop()
        source = MemorySource(
            made.broker, settings.topic_transactions, settings.kafka_group, settings.topic_control
        )
        expected = oracle.expected(settings, source, Fraud.load(), parse)
        found = tables.of_memory(made.store)
        (account,) = ledger.topics(
            settings, MemoryAdmin(made.broker), made.store, [settings.topic_transactions]
        )
        return Ran(
            tables.differences(tables.of_memory(expected), found), account, events,
            [str(fault) for fault in planted.happened], clock.now(),
        )  # fmt: skip


def _committed(made: World, topic: str) -> bool:
    admin = MemoryAdmin(made.broker)
    done = admin.committed("stormwatch", topic)
    marks = admin.watermarks(topic)
    return all(p in done and done[p].offset >= mark.high for p, mark in marks.items())
