"""The recommend topology, its own classes, in the runner: nothing lost, nothing counted twice."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.data.generate.behaviour import behaviour
from apps.operate.ledger_verify import verify
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.adapters.memory.world import World
from stormwatch.domains.recommend.domain import NAME
from stormwatch.domains.recommend.event import Behaviour
from stormwatch.domains.recommend.history import UserState, remember
from stormwatch.domains.recommend.items import ITEMS, asks, take
from stormwatch.domains.recommend.neighbours import SIZE, ItemState
from stormwatch.domains.recommend.parse import parse
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.state.envelope import EnvelopeCodec
from tests.runner.drive import stage, store_faults

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
    with stage(monkeypatch) as made:
        topic = made.settings.topic_behaviour
        for event in islice(behaviour(seed % 5, users=USERS, items=OBJECTS, groups=4), RECORDS):
            made.world.broker.append(topic, event.key, event.value)
        account = made.run("recommend", topic, faults, seed, store_faults=store_faults(stores))
        lists = len(made.world.store.tables["decisions"])
        stored, expected = _stored(made.world), _expected(made.world, topic)
        return Ran(account, lists, *stored, *expected, made.happened)


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


def test_the_ledger_verifies_itself_against_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record is decided once, under its key, as those of fraud and maintenance are."""
    with stage(monkeypatch) as made:
        topic, world = made.settings.topic_behaviour, made.world
        for event in islice(behaviour(3, users=USERS, items=OBJECTS), 200):
            world.broker.append(topic, event.key, event.value)
        planted = lambda plan: Faults.seeded(3, plan, 8, within=40)  # noqa: E731
        made.run("recommend", topic, planted, 3, store_faults=store_faults([7, 14]))
        verified = verify(made.settings, MemoryAdmin(world.broker), world.store, NAME, topic)
        assert verified.sound, verified
        assert verified.states == {"scored": 200}


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
