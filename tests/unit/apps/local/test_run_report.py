"""The report: what was published, the ledger's word on it, and when a run is ok."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.data.streams import Stream, streams
from apps.local.run import proof as evidence
from apps.local.run import report
from apps.operate.figures import NOTHING
from apps.operate.looks import take
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import SettingsError
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.ledger.reconcile import START
from stormwatch.ports import Committed
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings
from stormwatch.stretches import Stretch

TOPIC = "transactions"
FRAUD = Stream("fraud", TOPIC, "transactions")


def bitmaps(first: int, ends: dict[int, str]) -> dict[str, bytes]:
    return {
        state: bitmap_of([o for o, s in ends.items() if s == state], first)
        for state in set(ends.values())
    }


class World(SimpleNamespace):
    """Services in memory, as the run sees them."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.settings = Settings()
        self.admin = MemoryAdmin(self.broker)
        self.store = MemoryStore()
        for name in (TOPIC, self.settings.topic_control):
            self.admin.ensure_topic(name, 1, {})
        info = self.admin.describe(TOPIC)
        assert info is not None
        self.store.write_stretches(info.topic_id, [Stretch(0, 0, 0, 0, 0)])

    def publish(self, records: int) -> None:
        sink = MemorySink(self.broker)
        for _ in range(records):
            sink.send(TOPIC, b"k", b"v")
        sink.flush(1)

    def decide(self, first: int, states: Sequence[str]) -> None:
        last = first + len(states) - 1
        fragment = Fragment(TOPIC, 0, 1, first, last, 1, 0)
        begun = LedgerRow(Fragment(TOPIC, 0, 1, 0, 0, 1, 0), START, {}, 0)
        row = LedgerRow(fragment, "score", bitmaps(first, dict(enumerate(states, first))), 5)
        for each in (begun, row):
            self.store.write_aside("fraud", [], each, 1)

    def commit(self, offset: int) -> None:
        source = MemorySource(self.broker, TOPIC)
        source.commit({0: Committed(offset, "")}, wait=True)

    def proof(self, before: dict[str, dict[int, int]]) -> evidence.Proof:
        gained = evidence.ranges(before, evidence.highs(self.admin, [FRAUD]))
        return evidence.proof(self, FRAUD, gained)


@pytest.fixture
def world() -> World:
    return World()


def test_only_what_this_run_published_is_judged(world: World) -> None:
    world.publish(3)
    world.decide(0, ["scored"] * 3)
    before = evidence.highs(world.admin, [FRAUD])
    world.publish(5)
    world.decide(3, ["scored", "rejected", "late", "scored", "duplicate"])
    world.commit(8)
    found = world.proof(before)
    assert found.published == 5
    assert found.states == {"scored": 2, "rejected": 1, "duplicate": 1, "late": 1}
    assert (found.unaccounted, found.sound) == (0, True)


def test_what_was_not_read_is_unaccounted(world: World) -> None:
    before = evidence.highs(world.admin, [FRAUD])
    world.publish(4)
    assert world.proof(before) == evidence.Proof(4, {}, 4, False)
    world.decide(0, ["scored", "scored"])
    world.commit(2)
    assert world.proof(before).unaccounted == 2
    world.commit(4)  # committed without an end state: lost
    assert world.proof(before) == evidence.Proof(4, {"scored": 2}, 2, False)


def test_offsets_that_hold_no_record_are_not_published_records(world: World) -> None:
    before = evidence.highs(world.admin, [FRAUD])
    world.publish(3)
    world.decide(0, ["scored", "absent", "scored"])
    world.commit(3)
    assert world.proof(before) == evidence.Proof(2, {"scored": 2}, 0, True)


def test_two_states_of_one_offset_are_not_sound(world: World) -> None:
    before = evidence.highs(world.admin, [FRAUD])
    world.publish(1)
    world.decide(0, ["scored"])
    row = LedgerRow(Fragment(TOPIC, 0, 1, 0, 0, 1, 0), "reject", bitmaps(0, {0: "rejected"}), 0)
    world.store.write_aside("fraud", [], row, 1)
    world.commit(1)
    found = world.proof(before)
    assert found.unaccounted == 0
    assert not found.sound


def test_the_lag_is_what_the_group_has_not_committed(world: World) -> None:
    world.publish(10)
    assert take(FRAUD, world, 0).lag == 10
    world.commit(4)
    assert (take(FRAUD, world, 0).lag, take(FRAUD, world, 0).high) == (6, 10)


def make(trouble: str = "", sound: bool = True) -> report.Report:
    warm = NOTHING._replace(taken=1_000, at=1_000, ends={"scored": 100}, latency={900: 100})
    stopped = warm._replace(
        taken=11_000, at=11_000, ends={"scored": 5_100}, latency={900: 100, 9: 5_000}
    )
    last = stopped._replace(
        at=12_000, ends={"scored": 5_200, "rejected": 2, "rejected:not_json": 2}, alerts=7
    )
    proof = evidence.Proof(5_202, {"scored": 5_200, "rejected": 2}, 0, sound)
    about = report.About("id", datetime(2026, 1, 1, tzinfo=UTC), (12.0, 15.0, 5.0), 500, trouble)
    memory = {"kafka": {"kafka": 300.0, "total": 300.0}, "fraud": {"storm": 200.0, "total": 200.0}}
    return report.make(about, [report.Part("fraud", proof, (warm, stopped, last), 1)], memory)


def test_the_report_leaves_warm_up_out_of_latency_and_throughput(tmp_path: Path) -> None:
    made = make()
    report.write(made, tmp_path / "r.json")
    read = json.loads((tmp_path / "r.json").read_text())
    fraud = read["topologies"]["fraud"]
    assert fraud["latency_ms"] == {"p50": 9, "p95": 9, "p99": 9, "max": 9}
    assert fraud["throughput_per_s"] == 500.0
    assert fraud["published"] == 5_202
    assert fraud["states"] == {
        "scored": 5_200, "rejected": 2, "rejected_by_code": {"not_json": 2},
    }  # fmt: skip
    assert (fraud["alerts"], fraud["restarts"], fraud["unaccounted"]) == (7, 1, 0)
    assert fraud["memory_mb"] == {"storm": 200.0, "total": 200.0}
    assert (read["memory_mb"], read["memory_mb_total"]) == ({"kafka": 300.0}, 500.0)
    assert (read["ok"], read["trouble"], read["warm_up_s"]) == (True, "", 5.0)


def test_a_run_is_not_ok_when_a_topology_gave_up_or_the_ledger_is_not_whole() -> None:
    assert not make(trouble="The topology fraud ended with code 1.").ok
    broken = make(sound=False)
    assert not broken.ok
    assert "stormwatch ledger" in broken.trouble


def test_streams_are_chosen_by_name() -> None:
    assert [s.topology for s in streams(Settings())] == ["fraud", "maintenance"]
    assert streams(Settings(), "fraud") == [FRAUD._replace(more=("labels",))]
    assert streams(Settings(topic_labels=""), "fraud") == [FRAUD]
    with pytest.raises(SettingsError, match="Choose one of: fraud, maintenance, .*all"):
        streams(Settings(), "frod")
