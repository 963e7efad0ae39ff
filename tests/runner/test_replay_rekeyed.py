"""A replay of posts, whose brands belong to every partition: by an order that fits, or refused."""

from collections.abc import Iterator
from copy import deepcopy

import msgspec
import pytest

from apps.prove.replay.course import Range
from apps.prove.replay.keyed import KeyedReplay
from apps.prove.replay.needs import ReplayRefused
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import SettingsError
from stormwatch.runner.faults import Faults
from tests.runner.drive import Stage, stage, store_faults
from tests.runner.test_verdict_rekeyed import traffic


class World:
    """Posts that were decided while things failed."""

    def __init__(self, made: Stage) -> None:
        self.settings, self.broker = made.settings, made.world.broker
        self.topic = made.settings.topic_posts
        for key, value in traffic():
            self.broker.append(self.topic, key, value)
        seeded = lambda plan: Faults.seeded(4, plan, 6, within=40)  # noqa: E731
        made.run("social", self.topic, seeded, 4, store_faults=store_faults([3, 9]))
        self.store = made.world.store

    def replay(self, first: int = 50, last: int = 120, store: MemoryStore | None = None):
        source = MemorySource(
            self.broker, self.topic, self.settings.kafka_group, self.settings.topic_control
        )
        of = Range(self.topic, 1, first, last)
        return KeyedReplay(self.settings, store or self.store, source, "social", of)

    def row(self, store: MemoryStore, offset: int) -> dict[str, tuple[int, object]]:
        for row in store.tables["decisions"].values():
            body = msgspec.json.decode(row["body"][1])
            if (body["partition"], body["offset"]) == (1, offset):
                return row
        raise AssertionError(offset)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        yield World(made)


@pytest.fixture
def store(world: World) -> MemoryStore:
    made = MemoryStore(world.settings.layout_period_h)
    made.tables = deepcopy(world.store.tables)
    return made


def a_scored(world: World) -> int:
    """An offset of the range with a decision."""
    keys = (msgspec.json.decode(r["body"][1]) for r in world.store.tables["decisions"].values())
    return min(b["offset"] for b in keys if b["partition"] == 1 and b["offset"] >= 60)


@pytest.mark.parametrize(("first", "last"), [(0, 30), (50, 120), (77, 77)])
def test_what_was_stored_comes_out_again(world: World, first: int, last: int) -> None:
    proof = world.replay(first, last).proof()
    assert proof.same, proof.differences
    assert proof.equal == proof.decisions
    assert sum(proof.ends.values()) == last - first + 1
    assert "an order was looked for, and found" in proof.remark


def test_one_wrong_byte_is_told_by_field(world: World, store: MemoryStore) -> None:
    offset = a_scored(world)
    row = world.row(store, offset)
    wrong = msgspec.json.decode(row["body"][1]) | {"score": 0.987654}
    row["body"] = (row["body"][0], msgspec.json.encode(wrong))
    proof = world.replay(store=store).proof()
    (told,) = proof.differences
    assert (told.offset, told.id) == (offset, wrong["id"])
    assert "score: 0.987654, not " in told.fields
    assert proof.equal == proof.decisions - 1


def test_another_end_state_is_told(world: World, store: MemoryStore) -> None:
    offset = a_scored(world)
    for key, row in store.tables["ledger"].items():
        stamp, ledger = row["row"]
        bits = ledger.bitmaps.get("scored", b"")
        bit = offset - key[3]
        if key[1] == 1 and 0 <= bit < 8 * len(bits) and bits[bit // 8] >> bit % 8 & 1:
            less = bytearray(bits)
            less[bit // 8] &= ~(1 << bit % 8)
            late = bytes(bit // 8) + bytes([1 << bit % 8])
            ends = {**ledger.bitmaps, "scored": bytes(less), "late": late}
            row["row"] = (stamp, msgspec.structs.replace(ledger, bitmaps=ends))
    told = world.replay(store=store).proof().differences
    assert any(each.offset == offset and "its end is late" in each.fields for each in told)


def test_what_is_gone_is_refused(world: World, store: MemoryStore) -> None:
    states = store.tables.pop("states")
    with pytest.raises(ReplayRefused, match=r"is not stored any more \(ttl.states_d"):
        world.replay(store=store).proof()
    store.tables["states"] = states
    offset = a_scored(world)
    gone = world.row(store, offset)
    store.tables["decisions"] = {k: r for k, r in store.tables["decisions"].items() if r != gone}
    with pytest.raises(ReplayRefused, match="decisions of the range are not stored any more"):
        world.replay(store=store).proof()


def test_another_version_s_decisions_and_another_model_are_refused(
    world: World, store: MemoryStore
) -> None:
    row = world.row(store, a_scored(world))
    other = msgspec.json.decode(row["body"][1]) | {"rules": "social-0"}
    row["body"] = (row["body"][0], msgspec.json.encode(other))
    with pytest.raises(ReplayRefused, match=r"by vader-3\.3\.2\+spelling-1 social-0"):
        world.replay(store=store).proof()
    with pytest.raises(SettingsError, match="no model or rules that can be replaced"):
        world.replay().change(None)
