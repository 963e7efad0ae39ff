"""The oracle is tested itself: a checker that cannot see a fault proves nothing."""

from contextlib import closing
from dataclasses import replace

import msgspec
import pytest

from apps.prove.chaos import oracle
from apps.prove.chaos.traffic import mixed
from apps.prove.verdict.judge import differences
from apps.prove.verdict.tables import of_memory
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.ingest.commit_metadata import Epoch, epoch_key, write_epoch
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.settings import Settings

SETTINGS = Settings(topic_transactions="t")
COUNT = 1500
KILLER = next(mixed(1, customers=40))[0]


@pytest.fixture(scope="module")
def broker() -> MemoryBroker:
    broker = MemoryBroker(clock=lambda: 1_300_000_000_000)
    broker.create("t", 2, {})
    sink = MemorySink(broker)
    for key, value in mixed(COUNT, customers=40):
        sink.send("t", key, value)
    return broker


def run(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, batch: int) -> MemoryStore:
    monkeypatch.setattr(oracle, "BATCH", batch)
    with closing(MemorySource(broker, "t")) as source:
        info = source.describe()
        epoch = Epoch(3, info.topic_id, info.partitions)
        source.remember(epoch_key("t"), write_epoch(epoch))
        return oracle.expected(SETTINGS, source, Fraud(), parse)


@pytest.fixture
def store(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    return run(broker, monkeypatch, 700)


def test_the_cut_does_not_matter_and_every_offset_has_one_state(
    broker: MemoryBroker, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = of_memory(store)
    assert differences(found, of_memory(run(broker, monkeypatch, 13))) == []
    assert len(found.ends) == COUNT
    assert all(len(states) == 1 for states in found.ends.values())
    met = {state for states in found.ends.values() for state in states}
    assert met == {"scored", "rejected", "duplicate", "conflict", "late"}
    assert len(found.decisions) == list(found.ends.values()).count(frozenset({"scored"}))
    assert found.alerts.keys() and found.states.keys() and found.dead_letters.keys()


@pytest.mark.parametrize("table", ["decisions", "states", "alerts", "dead_letters", "ends"])
def test_one_loss_and_one_extra_are_seen_in_any_table(store: MemoryStore, table: str) -> None:
    want, found = of_memory(store), of_memory(store)
    lost = next(iter(getattr(found, table)))
    value = getattr(found, table).pop(lost)
    (said,) = differences(want, found)
    assert said.startswith(f"{table}: 1 missing of ") and repr(lost) in said
    other = (99 if table == "ends" else "never", *lost[1:])
    getattr(found, table).update({lost: value, other: value})
    (said,) = differences(want, found)
    assert said.startswith(f"{table}: 1 extra of ") and repr(other) in said


def test_one_wrong_byte_is_seen(broker: MemoryBroker, store: MemoryStore) -> None:
    want = of_memory(store)
    place, row = next(iter(store.tables["decisions"].items()))
    stamp, body = row["body"]
    row["body"] = (stamp, body[:-1] + b"]")
    (said,) = differences(want, of_memory(store))
    assert said.startswith("decisions: 1 different of ") and repr(place) in said
    row["body"] = (stamp, body)
    entity, row = next(iter(store.tables["states"].items()))
    stamp, blob = row["state"]
    row["state"] = (stamp, bytes([blob[0] ^ 1]) + blob[1:])
    (said,) = differences(want, of_memory(store))
    assert said.startswith("states: 1 different of ") and repr(entity) in said


def test_a_second_state_of_an_offset_is_seen(store: MemoryStore) -> None:
    want = of_memory(store)
    row = next(iter(store.tables["ledger"].values()))
    stamp, ledger = row["row"]
    twice = {**ledger.bitmaps, "late": bitmap_of([ledger.fragment.first], ledger.fragment.first)}
    row["row"] = (stamp, msgspec.structs.replace(ledger, bitmaps=twice))
    (said,) = differences(want, of_memory(store))
    assert said.startswith("ends: 1 doubled of "), said


def test_a_killer_is_quarantined_and_its_neighbours_decided(broker: MemoryBroker) -> None:
    settings = replace(SETTINGS, quarantine_after=1)
    with closing(MemorySource(broker, "t")) as source:
        killed = oracle.expected(
            settings, source, Fraud(), parse, lambda record: record.key == KILLER
        )
    found = of_memory(killed)
    assert len(found.ends) == COUNT
    quarantined = [key for key, cells in found.dead_letters.items() if cells[1] == "kills_process"]
    assert quarantined
    assert not [key for key in found.states if KILLER.decode() in key]
