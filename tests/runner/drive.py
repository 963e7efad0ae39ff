"""A topology of this project in the runner: simulated time, Kafka and the store in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import pytest

from apps.local.dev import world
from apps.local.dev.load import topology
from apps.operate import ledger
from stormwatch.adapters.clock import simulated
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.adapters.memory.store import Fault as StoreFault
from stormwatch.adapters.memory.world import World
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.runner import plan as plans
from stormwatch.runner.clock import SimulatedClock
from stormwatch.runner.engine import Engine, Rules
from stormwatch.runner.events import Event
from stormwatch.runner.faults import Faults
from stormwatch.runner.plan import Plan
from stormwatch.runner.threads import Threads
from stormwatch.settings import Settings, load, to_conf
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
class Stage:
    """A world with records in it, and what a run of a topology over them told."""

    settings: Settings
    world: World
    events: list[Event] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def run(
        self,
        name: str,
        topic: str,
        faults: Callable[[Plan], Faults],
        seed: int,
        *,
        store_faults: Iterable[StoreFault] = (),
        together: bool = False,
        until: Callable[[], bool] = lambda: False,
        also: Sequence[str] = (),
    ) -> TopicLedger:
        """Until every record of the topic, and of those in `also`, is committed, or `until`; its
        ledger."""
        self.world.store.faults = list(store_faults)
        clock, random = SimulatedClock(), Random(seed)
        plan = plans.read(topology(ROOT, name), name, to_conf(self.settings) | CONFIG)
        planted = faults(plan)
        engine = Engine(
            plan, Threads(plan, clock, random), clock, random, watch=self.events.append,
            faults=planted, rules=Rules(deaths=10_000, together=together),
        )  # fmt: skip
        with simulated(clock):
            engine.start()
            engine.run(LIMIT_S, lambda: until() or all(map(self._committed, (topic, *also))))
            engine.stop()
        self.happened, self.seconds = [str(fault) for fault in planted.happened], clock.now()
        admin = MemoryAdmin(self.world.broker)
        (account,) = ledger.topics(self.settings, admin, self.world.store, [topic])
        return account

    def _committed(self, topic: str) -> bool:
        admin = MemoryAdmin(self.world.broker)
        done = admin.committed(self.settings.kafka_group, topic)
        marks = admin.watermarks(topic)
        return all(p in done and done[p].offset >= mark.high for p, mark in marks.items())


@contextmanager
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """An empty one."""
    monkeypatch.chdir(ROOT / "tests")  # no stormwatch.toml, no running services
    for name, value in (world.MEMORY | SETTINGS).items():
        monkeypatch.setenv(name, value)
    settings = load()
    with world.opened(settings, lambda outcomes: None, simulated=True) as made:
        yield Stage(settings, made)


def store_faults(rows: Iterable[int]) -> list[StoreFault]:
    """Writes that fail: after so many rows, or whole where it is negative."""
    return [StoreFault(None if count < 0 else count) for count in rows]
