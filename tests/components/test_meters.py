"""Figures of components that decide nothing: spouts write theirs, parse bolts hand them on."""

import json
from typing import Any, ClassVar

import msgspec

from apps.operate.figures import look, measured
from bolts.parse import ParseTransactions
from bolts.reject import RejectTransactions
from spouts.transactions import TransactionSpout
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.storm import resources
from stormwatch.records import Record
from stormwatch.settings import Settings, to_conf
from stormwatch.testing import TICK, Conversation, batch, converse, drive, fragment, tup

RECORDS = [Record(i, 1, b"c", b"{}") for i in range(3)]


class Heard(ParseTransactions):
    """As where the reject bolt reads its figures."""

    def is_read(self, stream: str) -> bool:
        return stream == "meters"


def test_a_parse_bolt_hands_its_figures_to_the_reject_bolt_that_stores_them(store: Any) -> None:
    said = drive(Heard, batch(fragment(0, 2, topic="transactions"), RECORDS), TICK)
    (told,) = [m for m in said.emits if m["stream"] == "meters"]
    component, _, figures = told["tuple"]
    assert not told.get("anchors") and said.acks == ["1"]
    body = json.loads(figures)
    assert body["passes_on"] and body["batches"] == 1 and body["sizes"] == {"4": 1}
    assert {"wait", "read", "decode", "process", "encode", "emit"} <= set(body["spent"])
    assert drive(RejectTransactions, tup(*told["tuple"], stream="meters", id="7")).acks == ["7"]
    topology = next(iter(store._meters))
    ((found, one),) = [f for f in measured(store.meters(topology)) if f[0][0] == component]
    assert found[1] == told["tuple"][1] and one.resident > 1_000_000
    seen = look(store.meters(topology), 0, 1, 0, 0)
    assert (seen.tasks, seen.failed, seen.decided) == (0, 0, 0)  # it decides nothing
    assert [name for (name, _), _ in seen.processes] == [component]


class Metered(TransactionSpout):
    kafka: ClassVar[MemoryBroker]
    kept: ClassVar[MemoryStore]

    def source(self, values: Settings, topic: str) -> MemorySource:
        return MemorySource(self.kafka, topic, values.kafka_group)

    def store(self, values: Settings) -> MemoryStore:
        return self.kept


def test_a_spout_measures_itself(monkeypatch: Any) -> None:
    monkeypatch.setattr(resources, "METER_EVERY_S", 0.0)
    Metered.kafka, Metered.kept = MemoryBroker(clock=lambda: 1_700_000_000_000), MemoryStore()
    MemoryAdmin(Metered.kafka).ensure_topic("transactions", 1, {})
    for _ in range(3):
        Metered.kafka.append("transactions", b"c", b"{}", 0)

    def script(storm: Conversation) -> Any:
        yield {"command": "activate"}
        for command in ("ack", "fail"):  # the notice of the start, then the batch
            before = len(storm.emits)
            while len(storm.emits) == before:
                yield {"command": "next"}
            yield {"command": command, "id": storm.emits[-1]["id"]}
        yield {"command": "next"}

    conf = to_conf(Settings(topic_labels="")) | {"topology.name": "fraud"}
    context = {"taskid": 4, "componentid": "transactions", "task->component": {"4": "transactions"}}
    converse(Metered, script, conf=conf, context=context)
    ((_, one),) = measured(Metered.kept.meters("fraud"))
    assert one.passes_on and (one.batches, one.failed) == (1, 1) and one.sizes == {1: 1, 4: 1}
    assert {"wait", "read", "poll", "encode", "emit"} <= set(one.spent) and one.resident
    assert msgspec.json.decode(msgspec.json.encode(one))["started"] > 0
