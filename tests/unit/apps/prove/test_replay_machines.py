"""Readings of any type and events of units are decided again to the byte, and proofs know them."""

import json
from dataclasses import replace

import msgspec
import pytest

from apps.data.generate.readings import readings
from apps.prove.replay.course import Range
from apps.prove.replay.needs import ReplayRefused
from apps.prove.replay.session import Replay
from apps.prove.verdict import oracle
from apps.prove.verdict.oracle import Span, cut
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.maintenance import Maintenance
from stormwatch.ledger.reconcile import START
from stormwatch.records import Decision, Fragment, LedgerRow
from stormwatch.settings import Settings
from stormwatch.state.judge import versions_of

SETTINGS = Settings()
TOPIC, COUNT = SETTINGS.topic_readings, 240
KTIME = 1_900_000_000_000


class World:
    """A topic of turbofans, of units of no type and of events, that was read and decided."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(clock=lambda: KTIME)
        self.broker.create(TOPIC, 1, {})
        made = iter(readings(3, units=4))
        for nth in range(COUNT):
            if nth % 3 == 0:
                key, value = next(made)[:2]
            else:
                at = f"2026-11-21T{nth // 60:02}:{nth % 60:02}:00Z"
                record = {"id": f"{nth}", "unit": "pump", "time": at, "equipment": "any"}
                what = {"sensors": {"x": 50 + nth * nth % 7 + 90.0 * (nth == 200)}}
                if nth % 60 == 58:
                    what = {"type": "event", "event": "maintenance"}
                key, value = b"pump", json.dumps({**record, **what}).encode()
            self.broker.append(TOPIC, key, value)
        self.source = MemorySource(self.broker, TOPIC)
        records = self.broker.log(TOPIC, 0).records
        batches = cut(Span(TOPIC, 0, 2, 0, COUNT), [records], lambda: 37, lambda record: False)
        self.domain = Maintenance.from_settings(SETTINGS)
        self.store: MemoryStore = oracle.expected(SETTINGS, batches, self.domain, self._parse)
        of = Fragment(TOPIC, 0, 2, 0, -1, 1, 0)
        self.store.write_aside("maintenance", [], LedgerRow(of, START, {}, 0), 1)

    def _parse(self, value: bytes, timestamp: int, *, future_skew_ms: int) -> object:
        return self.domain.parse(value, timestamp)

    def bodies(self) -> list[Decision]:
        rows = self.store.tables["decisions"].values()
        return [msgspec.json.decode(bytes(row["body"][1]), type=Decision) for row in rows]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_all_of_it_is_decided_and_each_decision_is_of_a_known_version(world: World) -> None:
    found = {(one.model, one.rules, one.feature_set) for one in world.bodies()}
    assert len(world.bodies()) == COUNT
    assert found <= versions_of(world.domain)
    assert {one.outcome for one in world.bodies()} >= {"noted", "anomaly", "healthy", "learning"}


def test_a_replay_is_the_same_to_the_byte(world: World) -> None:
    of = Range(TOPIC, 0, 60, COUNT - 1)
    proof = Replay(SETTINGS, world.store, world.source, "maintenance", of).proof()
    assert proof.same, proof.differences
    assert proof.equal == proof.decisions == COUNT - 60


def test_a_type_that_is_another_now_is_refused(world: World) -> None:
    store = world.store
    for row in store.tables["decisions"].values():
        stamp, body = row["body"]
        row["body"] = (stamp, bytes(body).replace(b'"rules":"any-1"', b'"rules":"any-7"'))
    of = Range(TOPIC, 0, 60, 120)
    with pytest.raises(ReplayRefused, match="rules any-7 over features"):
        Replay(replace(SETTINGS), store, world.source, "maintenance", of).proof()
