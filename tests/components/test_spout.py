"""The spout as Storm meets it: multilang messages in and out, Kafka in memory."""

import io
import json
import os
import signal
import threading
import time
from typing import Any, ClassVar

import pytest

from spouts.kafka_batch import KafkaBatchSpout, place
from spouts.readings import ReadingSpout
from spouts.transactions import TransactionSpout
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import BATCH_FIELDS, RECORDS, Asides, decoder, to_fragment
from stormwatch.errors import BrokerUnavailable, PackageMissing
from stormwatch.ingest.reader import IDLE_POLL_S
from stormwatch.parsing.mapping import text_of
from stormwatch.settings import Settings, to_conf
from stormwatch.testing import Conversation, converse

CONTEXT = {
    "taskid": 4,
    "componentid": "transactions",
    "task->component": {"4": "transactions", "11": "transactions", "2": "parse"},
}


class MemorySpout(TransactionSpout):
    broker: ClassVar[MemoryBroker]

    def source(self, values: Settings, topic: str) -> MemorySource:
        self.broker.check()
        return MemorySource(self.broker, topic, values.kafka_group)

    def store(self, values: Settings) -> MemoryStore:
        return MemoryStore()


@pytest.fixture
def broker():
    MemorySpout.broker = MemoryBroker(clock=lambda: 1_700_000_000_000)
    MemoryAdmin(MemorySpout.broker).ensure_topic("transactions", 2, {})
    return MemorySpout.broker


def run(script: Any, context: dict[str, Any] = CONTEXT, **options: Any) -> Conversation:
    conf = to_conf(Settings(topic_labels="", **options)) | {"topology.name": "fraud"}
    return converse(MemorySpout, script, conf=conf, context=context)


def test_records_travel_as_one_tuple_and_are_committed_after_the_ack(broker):
    for n in range(3):
        broker.append("transactions", b"c", b'{"n":%d}' % n, 0)
    broker.append("transactions", b"c", b"other task's", 1)

    def script(storm: Conversation) -> Any:
        yield {"command": "activate"}
        yield from storm.turns()
        yield {"command": "ack", "id": storm.emits[-1]["id"]}
        yield from storm.turns()
        yield {"command": "fail", "id": storm.emits[-1]["id"]}
        time.sleep(0.12)
        yield from storm.turns()
        yield {"command": "ack", "id": storm.emits[-2]["id"]}  # of the attempt that failed
        yield {"command": "deactivate"}
        assert broker.commits["stormwatch", "transactions"][0].offset == 0
        yield {"command": "ack", "id": storm.emits[-1]["id"]}

    storm = run(script)
    start, first, again = storm.emits
    assert start["stream"] == "notices"
    assert decoder(Asides)(start["tuple"][-1]).ledger.part == "start"
    assert first["stream"] == "default"
    assert (first["id"], again["id"]) == ("0:1:0:0-2:default", "0:1:1:0-2:default")
    assert len(first["tuple"]) == len(BATCH_FIELDS)
    assert to_fragment(again["tuple"]).attempt == 1
    records = decoder(RECORDS)(first["tuple"][-1])
    assert [r.value for r in records] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert first["tuple"][-1] == again["tuple"][-1]
    commit = broker.commits["stormwatch", "transactions"][0]
    assert commit.offset == 3
    assert json.loads(commit.metadata)["c"] is True
    assert storm.code == 2


def test_each_command_is_answered_by_one_sync_without_a_wait_for_kafka(broker, monkeypatch):
    waits = []
    poll = MemorySource.poll
    monkeypatch.setattr(
        MemorySource, "poll", lambda self, most, wait: waits.append(wait) or poll(self, most, wait)
    )

    def script(storm: Conversation) -> Any:
        for _ in range(50):
            yield {"command": "next"}

    storm = run(script)
    assert sum(m.get("command") == "sync" for m in storm.sent) == 50
    assert waits and max(waits) <= IDLE_POLL_S


def test_kafka_down_is_no_reason_to_die(broker):
    broker.down()

    def script(storm: Conversation) -> Any:
        yield from storm.turns(5)
        broker.up()
        broker.append("transactions", b"c", b"v", 0)
        time.sleep(1)
        yield from storm.turns(50)

    storm = run(script)
    said = [m["msg"] for m in storm.sent if m.get("command") == "log"]
    assert sum("Kafka does not answer" in line for line in said) == 1
    assert sum("Kafka answers again" in line for line in said) == 1
    assert len(storm.emits) == 1


def test_a_store_that_takes_longer_to_connect_than_a_turn_waits_is_no_reason_to_die(
    broker, monkeypatch
):
    """As on a machine that is busy starting everything at once."""
    monkeypatch.setattr("spouts.kafka_batch.STORE_WAIT_S", 0.01)
    there = threading.Event()
    connect = MemorySpout.store
    monkeypatch.setattr(MemorySpout, "store", lambda *given: there.wait(5) and connect(*given))
    broker.append("transactions", b"c", b"v", 0)

    def script(storm: Conversation) -> Any:
        yield from storm.turns(3)
        assert storm.emits == []
        there.set()
        time.sleep(0.5)
        yield from storm.turns(50)

    storm = run(script)
    said = [m["msg"] for m in storm.sent if m.get("command") == "log"]
    assert sum("The store does not answer" in line for line in said) == 1
    assert len(storm.emits) == 1


def test_a_missing_topic_is_said_with_the_command(broker):
    MemoryAdmin(broker).delete_topic("transactions")
    storm = run(lambda storm: storm.turns(5))
    said = [m["msg"] for m in storm.sent if m.get("command") == "log"]
    assert sum("./stormwatch up" in line for line in said) == 1
    assert storm.emits == []


def test_an_offset_that_the_log_does_not_reach_is_said_in_a_sentence(broker):
    from stormwatch.ports import Committed

    broker.commits["stormwatch", "transactions"] = {0: Committed(99, "")}
    storm = run(lambda storm: storm.turns(5))
    (said,) = [
        m["msg"] for m in storm.sent if m.get("command") == "log" and "offset 99" in m["msg"]
    ]
    assert "stands at offset 99, but the log ends at 0: reading begins there" in said
    assert storm.code == 2


def test_an_oversized_value_is_cut_so_that_parse_sees_it(broker):
    broker.append("transactions", b"c", b"x" * 5000, 0)

    def script(storm: Conversation) -> Any:
        yield from storm.turns()
        yield {"command": "ack", "id": storm.emits[-1]["id"]}
        yield from storm.turns()

    storm = run(script, record_max_bytes=1000)
    (record,) = decoder(RECORDS)(storm.emits[1]["tuple"][-1])
    assert record.value == b"x" * 1001


def test_a_wrong_setting_is_told_to_storm(broker):
    storm = converse(MemorySpout, lambda storm: iter(()), conf={"stormwatch.batch.max_records": 0})
    assert storm.code == 1
    assert "batch.max_records" in storm.log


def test_the_real_source_is_the_kafka_adapter():
    spout = ReadingSpout(io.BytesIO(), io.BytesIO(), rdb_signal=None)
    assert spout.topic_setting == "topic_readings"
    with pytest.raises(BrokerUnavailable):
        source = spout.source(Settings(kafka_bootstrap="127.0.0.1:1", kafka_request_timeout_s=0.5),
                              "readings")  # fmt: skip
        source.describe()


def test_the_place_of_a_task_among_its_component():
    assert place(CONTEXT) == (0, 2)
    assert place({**CONTEXT, "taskid": 11}) == (1, 2)


def test_the_declared_streams():
    streams = {s.name: list(s.fields) for s in KafkaBatchSpout.outputs}
    assert streams == {"default": list(BATCH_FIELDS), "notices": list(BATCH_FIELDS)}
    assert TransactionSpout.spec(par=2) is not None


def test_a_sigterm_commits_that_nothing_died_and_ends_it(broker, monkeypatch):
    """What is in flight comes again, and is not suspected of anything."""
    monkeypatch.setattr(MemorySpout, "own_process", True)
    before = signal.getsignal(signal.SIGTERM)
    broker.append("transactions", b"c", b"{}", 0)

    def script(storm: Conversation) -> Any:
        yield {"command": "activate"}
        yield from storm.turns()
        yield {"command": "ack", "id": storm.emits[-1]["id"]}
        yield from storm.turns()
        os.kill(os.getpid(), signal.SIGTERM)
        yield {"command": "next"}
        pytest.fail("it went on")

    try:
        storm = run(script)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert storm.code == 0
    assert storm.emits[-1]["stream"] == "default"
    commit = broker.commits["stormwatch", "transactions"][0]
    assert (commit.offset, json.loads(commit.metadata)["c"]) == (0, True)


def test_a_missing_package_ends_it_in_order_so_that_no_record_is_blamed() -> None:
    class Codecless:
        rested = 0

        def step(self) -> list[object]:
            raise PackageMissing("the package zstandard is not installed here")

        def rest(self) -> None:
            self.rested += 1

    spout = object.__new__(KafkaBatchSpout)
    spout._asked_to_end = False
    reader = Codecless()
    spout.readers = {"": reader}
    with pytest.raises(PackageMissing):
        spout.next_tuple()
    assert reader.rested == 1


MOBILE = 'topic = "mobile"\n' + text_of("preset:paysim")


def test_the_topics_of_all_mappings_are_read_and_each_is_acked_as_its_own(broker):
    MemoryAdmin(broker).ensure_topic("mobile", 2, {})
    for topic in ("transactions", "mobile"):
        broker.append(topic, b"c", topic.encode(), 0)

    def script(storm: Conversation) -> Any:
        for _ in range(3):  # the notices of both starts, then both batches
            before = len(storm.emits)
            yield from storm.turns()
            for emit in storm.emits[before:]:
                if emit["stream"] == "notices" or "mobile/" in emit["id"]:
                    yield {"command": "ack", "id": emit["id"]}
        yield {"command": "deactivate"}

    storm = run(script, mapping_transactions=MOBILE)
    ids = [emit["id"] for emit in storm.emits if emit["stream"] == "default"]
    assert sorted(ids) == ["0:1:0:0-0:default", "mobile/0:1:0:0-0:default"]
    assert broker.commits["stormwatch", "mobile"][0].offset == 1
    assert broker.commits["stormwatch", "transactions"][0].offset == 0


@pytest.mark.parametrize("rekey", [False, True])
def test_topics_of_different_widths_share_no_entity_unless_they_are_repartitioned(broker, rekey):
    MemoryAdmin(broker).ensure_topic("mobile", 3, {})

    def script(storm: Conversation) -> Any:
        for _ in range(20):
            yield {"command": "next"}

    storm = run(script, mapping_transactions=f"rekey = {str(rekey).lower()}\n" + MOBILE)
    told = "different numbers of partitions (2, 3)" in storm.log and "rekey = true" in storm.log
    assert told is not rekey
    assert storm.code == (2 if rekey else 1)  # 2: Storm went away
