"""The parse bolts over Storm's protocol, and the base they share."""

import pytest

from bolts.base import BatchBolt
from bolts.parse import ParseReadings, ParseTransactions
from stormwatch import codec
from stormwatch.codec import Asides, Parsed
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.maintenance.event import Reading
from stormwatch.errors import SchemaError, StoreUnavailable
from stormwatch.records import Fragment, Record
from stormwatch.testing import HEARTBEAT, TICK, batch, drive
from tests import corpus

KINDS = {"transactions": (ParseTransactions, Transaction), "readings": (ParseReadings, Reading)}
OK = {topic: corpus.cases(topic)[0].value for topic in KINDS}


def fragment(topic: str, last: int) -> Fragment:
    return Fragment(topic, 3, 32, 10, last, 5, 1)


def record(offset: int, value: bytes | None) -> Record:
    return Record(offset, corpus.TIME, b"c-1", value)


def emitted(said, stream):
    """The one batch of a stream: its fragment and payload."""
    (found,) = [m for m in said.of("emit") if m["stream"] == stream]
    assert found["anchors"] == ["1"]
    assert len(found["tuple"]) == len(codec.BATCH_FIELDS)
    return codec.to_fragment(found["tuple"]), found["tuple"][-1]


@pytest.mark.parametrize("topic", KINDS)
def test_events_go_on_and_rejected_go_aside(topic):
    bolt, kind = KINDS[topic]
    whole = fragment(topic, 14)
    records = [record(10, OK[topic]), record(12, b"no"), record(13, None), record(14, OK[topic])]
    said = drive(bolt, HEARTBEAT, batch(whole, records), TICK)
    found, payload = emitted(said, "default")
    assert found == whole
    parsed = codec.decoder(Parsed[kind])(payload)
    assert [(offset, timestamp) for offset, timestamp, _ in parsed.events] == [
        (10, corpus.TIME),
        (14, corpus.TIME),
    ]
    assert isinstance(parsed.events[0][2], kind)
    assert (parsed.elsewhere, parsed.absent) == ([12, 13], [11])
    found, payload = emitted(said, "rejected")
    assert found == whole
    asides = codec.decoder(Asides)(payload)
    assert [(r.offset, r.code, r.component, r.raw) for r in asides.rows] == [
        (12, "not_json", "here", b"no"),
        (13, "tombstone", "here", None),
    ]
    assert asides.ledger.bitmaps == {"rejected": b"\x0c"}
    assert (asides.ledger.part, asides.ledger.fragment) == ("reject", whole)
    assert [m["id"] for m in said.of("ack")] == ["1", "tick"]
    assert not said.of("fail", "error")


def test_a_batch_without_rejections_says_so_by_silence():
    said = drive(ParseTransactions,
        batch(fragment("transactions", 10), [record(10, OK["transactions"])]),
    )  # fmt: skip
    assert [m["stream"] for m in said.of("emit")] == ["default"]


def test_a_batch_of_rejections_still_tells_the_absent():
    said = drive(ParseTransactions, batch(fragment("transactions", 11), [record(11, b"{}")]))
    _, payload = emitted(said, "default")
    assert codec.decoder(Parsed[Transaction])(payload) == Parsed([], [11], [10])


def test_limits_come_from_settings():
    whole = batch(fragment("transactions", 10), [record(10, OK["transactions"])])
    said = drive(ParseTransactions, whole, conf={"stormwatch.record.max_bytes": 100})
    assert codec.decoder(Asides)(emitted(said, "rejected")[1]).rows[0].code == "too_large"
    later = corpus.cases("transactions")[0].value.replace(b"09:15:30", b"09:15:40")
    whole = batch(fragment("transactions", 10), [record(10, later)])
    said = drive(ParseTransactions, whole, conf={"stormwatch.future_skew_s": 9})
    assert codec.decoder(Asides)(emitted(said, "rejected")[1]).rows[0].code == "too_far_in_future"


class Moody(BatchBolt):
    """Raises what it is sent."""

    payload = str

    def handle(self, fragment, payload, tup):
        if payload == "down":
            raise StoreUnavailable("Cassandra did not answer")
        if payload == "wrong":
            raise SchemaError("tables are older; run ./stormwatch schema apply")
        if payload == "bug":
            raise ZeroDivisionError


def test_infrastructure_fails_the_batch_once_with_a_sentence():
    whole = fragment("t", 10)
    said = drive(Moody, batch(whole, "down", "1"), batch(whole, "fine", "2"))
    assert [(m["command"], m["id"]) for m in said.of("ack", "fail")] == [
        ("fail", "1"),
        ("ack", "2"),
    ]
    assert "will be tried again: Cassandra did not answer" in said.log
    assert said.exit_code == 2  # only Storm's going ended it


@pytest.mark.parametrize(
    ("mood", "shown"), [("wrong", "tables are older"), ("bug", "ZeroDivision")]
)
def test_all_else_ends_the_process_and_is_shown(mood, shown):
    whole = fragment("t", 10)
    said = drive(Moody, batch(whole, mood, "1"), batch(whole, "fine", "2"))
    assert not said.of("ack", "fail")
    assert shown in said.log
    assert said.exit_code == 1
