"""The reject bolts: rows and ledger in the store, dead letters in Kafka, then the ack."""

import base64
import json

import msgspec
import pytest

from apps.operate.figures import look, rejected_by_code
from bolts.reject import RejectReadings, RejectTransactions
from stormwatch.adapters.memory.kafka import MemorySink
from stormwatch.adapters.memory.store import Fault
from stormwatch.codec import Asides
from stormwatch.ingest import notices
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import Fragment, LedgerRow, Record, SetAside
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.testing import TICK, batch, drive

TOPIC = "dead-letters"
WHOLE = Fragment("transactions", 3, 32, 10, 14, 5, 1)
CARD = b"4111111111111111"
ROWS = [
    SetAside(12, 99, "rejected", "not_json", "the record is not JSON", "parse", None, b"\xff\x00"),
    SetAside(13, 98, "dead_lettered", "raised", "Traceback", "parse", b"c-1", None),
]
LEDGER = LedgerRow(
    WHOLE, "reject",
    {"rejected": bitmap_of([12], 10), "dead_lettered": bitmap_of([13], 10)}, 7,
)  # fmt: skip


def letters(broker):
    topic = broker.topic(TOPIC)
    return [] if topic is None else [(r.key, json.loads(r.value)) for r in topic.logs[0].records]


@pytest.mark.parametrize(
    ("bolt", "domain"), [(RejectTransactions, "fraud"), (RejectReadings, "maintenance")]
)
def test_rows_are_stored_and_told(bolt, domain, store, broker):
    said = drive(bolt, batch(WHOLE, Asides(ROWS, LEDGER)))
    assert [(m["command"], m["id"]) for m in said.of("ack", "fail")] == [("ack", "1")]
    kept = store.set_aside(domain, 10)
    assert [(a.topic, a.partition, a.epoch, a.row) for a in kept] == [
        ("transactions", 3, 32, row) for row in ROWS
    ]
    (cells,) = store.tables["ledger"].values()
    assert cells["row"] == (outcome_stamp(WHOLE), LEDGER)
    assert letters(broker) == [
        (None, {
            "state": "rejected", "code": "not_json", "reason": "the record is not JSON",
            "component": "parse", "topic": "transactions", "partition": 3, "offset": 12,
            "timestamp": 99, "key": None, "raw": base64.b64encode(b"\xff\x00").decode(),
        }),
        (b"c-1", {
            "state": "dead_lettered", "code": "raised", "reason": "Traceback",
            "component": "parse", "topic": "transactions", "partition": 3, "offset": 13,
            "timestamp": 98, "key": base64.b64encode(b"c-1").decode(), "raw": None,
        }),
    ]  # fmt: skip


def test_a_replay_says_the_same_once_more(store, broker):
    first = batch(WHOLE, Asides(ROWS, LEDGER))
    again = msgspec.structs.replace(WHOLE, attempt=2)
    replayed = msgspec.structs.replace(LEDGER, fragment=again)
    drive(RejectTransactions, first)
    before = store.set_aside("fraud", 10)
    drive(RejectTransactions, batch(again, Asides(ROWS, replayed)), first)
    assert store.set_aside("fraud", 10) == before
    rows = list(store.ledger("transactions", 3, 32, 10, 14))
    assert {row.fragment.attempt for row in rows} == {1, 2}  # tries stand beside each other
    assert all(row.bitmaps == LEDGER.bitmaps for row in rows)


def test_a_store_that_does_not_answer_sends_nothing_to_kafka(store, broker):
    store.faults = [Fault(rows=1)]
    said = drive(RejectTransactions,
        batch(WHOLE, Asides(ROWS, LEDGER), "1"), batch(WHOLE, Asides(ROWS, LEDGER), "2"),
    )  # fmt: skip
    assert [(m["command"], m["id"]) for m in said.of("ack", "fail")] == [
        ("fail", "1"),
        ("ack", "2"),
    ]
    assert len(letters(broker)) == 2


def test_a_broker_that_is_down_fails_the_batch(store, broker):
    broker.down()
    said = drive(RejectTransactions, batch(WHOLE, Asides(ROWS, LEDGER)))
    assert [m["command"] for m in said.of("ack", "fail")] == ["fail"]
    assert "the broker in memory is down" in said.log


def test_notices_of_the_spout_end_here_too(store, broker):
    empty = Fragment("transactions", 3, 32, 10, 9, 5, 0)
    record = Record(14, 97, b"c-1", b'{"card":"' + CARD + b'"}')
    said = drive(RejectTransactions,
        batch(empty, notices.started(empty), "1"),
        batch(WHOLE, notices.expired(WHOLE), "2"),
        batch(WHOLE, notices.quarantined(WHOLE, record, 2, "spout"), "3"),
        TICK,
    )  # fmt: skip
    assert [m["id"] for m in said.of("ack")] == ["1", "2", "3", "tick"]
    assert store.ledger_starts("transactions") == [(3, 32, 10)]
    (kept,) = store.set_aside("fraud", 10)
    assert kept.row.code == "kills_process"
    assert CARD not in kept.row.raw
    assert CARD[-4:] in kept.row.raw
    ((_, letter),) = letters(broker)
    assert base64.b64decode(letter["raw"]) == kept.row.raw
    (figures,) = store.meters("test").values()
    assert json.loads(figures)["ends"] == {"expired": 5, "dead_lettered": 1, "absent": 4}


def test_rejections_are_counted_by_code(store, broker):
    """The screen and the report of a run tell codes, from what the bolt wrote."""
    rows = [ROWS[0], msgspec.structs.replace(ROWS[0], offset=11, code="missing_field"), ROWS[1]]
    bits = {"rejected": bitmap_of([11, 12], 10), "dead_lettered": bitmap_of([13], 10)}
    drive(RejectTransactions, batch(WHOLE, Asides(rows, LedgerRow(WHOLE, "reject", bits, 7))), TICK)
    seen = look(store.meters("test"), began=0, taken=1, high=0, lag=0)
    assert seen.ends["rejected"] == 2
    assert rejected_by_code(seen.ends) == {"missing_field": 1, "not_json": 1}
    assert seen.decided == 3


def test_at_its_end_the_bolt_leaves_its_store_and_kafka(store, broker, monkeypatch):
    left = []
    for each in (type(store), MemorySink):
        monkeypatch.setattr(each, "close", lambda self: left.append(type(self)))
    drive(RejectTransactions, batch(WHOLE, Asides(ROWS, LEDGER)))
    assert sorted(left, key=str) == sorted([type(store), MemorySink], key=str)
