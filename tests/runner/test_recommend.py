"""The recommend topology, its own classes, in the runner: nothing lost, nothing counted twice."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps import ledger
from apps.dev import world
from apps.dev.load import topology
from apps.generate.behaviour import behaviour
from stormwatch.adapters.kafka_memory import MemoryAdmin
from stormwatch.adapters.memory import World
from stormwatch.adapters.store_memory import Fault as StoreFault
from stormwatch.adapters.task_time import simulated
from stormwatch.entity import EnvelopeCodec
from stormwatch.ledger import TopicLedger
from stormwatch.recommend.domain import NAME
from stormwatch.recommend.event import Behaviour
from stormwatch.recommend.history import UserState, remember
from stormwatch.recommend.items import ITEMS, asks, take
from stormwatch.recommend.neighbours import SIZE, ItemState
from stormwatch.recommend.parse import parse
from stormwatch.runner import plan as plans
from stormwatch.runner.clock import SimulatedClock
from stormwatch.runner.engine import Engine, Rules
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.runner.threads import Threads
from stormwatch.settings import load, to_conf
from tests.e2e.project import ROOT
from tests.runner.fraud import CONFIG, LIMIT_S, SETTINGS

RECORDS = 900
FAR = 1 << 62
USERS, OBJECTS = 150, 40  # so few items that none has to make room, so few days that none decays


@dataclass
class Ran:
    """What is in the store at the end, and what one pass over the log says."""

    account: TopicLedger
    lists: int
    users: dict[str, UserState]
    items: dict[str, dict[str, int]]
    users_expected: dict[str, UserState]
    items_expected: dict[str, dict[str, int]]
    happened: list[str]


def run(
    monkeypatch: pytest.MonkeyPatch, seed: int, faults: Callable[[Plan], Faults], stores: list[int]
) -> Ran:
    monkeypatch.chdir(ROOT / "tests")  # no stormwatch.toml, no running services
    for name, value in (world.MEMORY | SETTINGS).items():
        monkeypatch.setenv(name, value)
    values = load()
    with world.opened(values, lambda outcomes: None, simulated=True) as made:
        for event in islice(behaviour(seed % 5, users=USERS, items=OBJECTS, groups=4), RECORDS):
            made.broker.append(values.topic_behaviour, event.key, event.value)
        made.store.faults = [StoreFault(None if rows < 0 else rows) for rows in stores]
        clock, random = SimulatedClock(), Random(seed)
        plan = plans.read(topology(ROOT, "recommend"), "recommend", to_conf(values) | CONFIG)
        planted = faults(plan)
        engine = Engine(
            plan, Threads(plan, clock, random), clock, random, faults=planted,
            rules=Rules(deaths=10_000),
        )  # fmt: skip
        with simulated(clock):
            engine.start()
            engine.run(LIMIT_S, lambda: _committed(made, values.topic_behaviour))
            engine.stop()
        admin = MemoryAdmin(made.broker)
        (account,) = ledger.topics(values, admin, made.store, [values.topic_behaviour])
        users, items = _stored(made)
        return Ran(
            account, len(made.store.tables["decisions"]), users, items,
            *_expected(made, values.topic_behaviour), [str(one) for one in planted.happened],
        )  # fmt: skip


def _committed(made: World, topic: str) -> bool:
    admin = MemoryAdmin(made.broker)
    done = admin.committed("stormwatch", topic)
    marks = admin.watermarks(topic)
    return all(p in done and done[p].offset >= mark.high for p, mark in marks.items())


def _stored(made: World) -> tuple[dict[str, UserState], dict[str, dict[str, int]]]:
    rows = {key: row["state"][1] for key, row in made.store.tables["states"].items()}
    users, items = EnvelopeCodec(UserState), EnvelopeCodec(ItemState)
    return (
        {k[-1]: users.decode(blob, k[-1]).body for k, blob in rows.items() if k[0] == NAME},
        {k[-1]: _counts(items.decode(b, k[-1]).body) for k, b in rows.items() if k[0] == ITEMS},
    )


def _expected(made: World, topic: str) -> tuple[dict[str, UserState], dict[str, dict[str, int]]]:
    users: dict[str, UserState] = {}
    items: dict[str, ItemState] = {}
    for partition, log in enumerate(made.broker.topic(topic).logs):
        for record in log.records:
            event = parse(record.value or b"", FAR, future_skew_ms=0)
            assert isinstance(event, Behaviour)
            plan = remember(users.setdefault(event.user, UserState()), event)
            for ask in asks(plan, partition, record.offset):
                take(items.setdefault(ask.name, ItemState()), ask, decided=False)
    return users, {name: _counts(state) for name, state in items.items() if state.total}


def _counts(state: ItemState) -> dict[str, int]:
    assert len(state.names) < SIZE and not any(state.errors)
    return dict(zip(state.names, state.counts, strict=True))


def holds(ran: Ran) -> None:
    assert ran.account.sound and not ran.account.in_flight, ran.happened
    assert ran.account.states == {"scored": RECORDS}
    assert ran.lists == RECORDS
    assert ran.users == ran.users_expected, ran.happened
    assert ran.items == ran.items_expected, ran.happened


def test_without_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    holds(run(monkeypatch, 1, lambda plan: Faults(), []))


@pytest.mark.parametrize("act", [Act.CRASH, Act.CRASH_AFTER, Act.TIMEOUT])
@pytest.mark.parametrize("component", ["plan", "items_0", "items_1", "recommend"])
def test_a_fault_at_each_stage_of_the_round(
    component: str, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the items it strikes when they have learned and the users' states are not written."""
    planted = [Fault(Point.TUPLE, component, n, act) for n in (2, 5)]
    ran = run(monkeypatch, 1, lambda plan: Faults(planted), [])
    holds(ran)
    assert len(ran.happened) == 2


def campaign(monkeypatch: pytest.MonkeyPatch, seed: int, faults: int, stores: list[int]) -> Ran:
    return run(monkeypatch, seed, lambda plan: Faults.seeded(seed, plan, faults, within=40), stores)


CHOICES = {
    "seed": st.integers(0, 2**32),
    "faults": st.integers(1, 12),
    "stores": st.lists(st.integers(-1, 60), max_size=6),
}


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments(seed: int, faults: int, stores: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        holds(campaign(monkeypatch, seed, faults, stores))


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments_at_length(seed: int, faults: int, stores: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        holds(campaign(monkeypatch, seed, faults, stores))
