"""What a sink does where Kinesis takes a part of a request, or nothing. No server."""

from collections.abc import Sequence

import pytest

from stormwatch.adapters.kinesis import sink as sinks
from stormwatch.adapters.kinesis.client import Absent, Put, Throttled
from stormwatch.adapters.kinesis.sink import REQUEST_RECORDS, KinesisSink
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink
from stormwatch.errors import BrokerRefused, BrokerUnavailable


class Stream:
    """Takes of each request what `takes` says next, then all; keeps what arrived."""

    def __init__(self, *takes: int | Exception) -> None:
        self.takes, self.requests, self.arrived = list(takes), 0, list[Put]()

    def put(self, records: Sequence[Put]) -> int:
        self.requests += 1
        take = self.takes.pop(0) if self.takes else len(records)
        if isinstance(take, Exception):
            raise take
        taken = min(take, len(records))
        self.arrived += records[:taken]
        return taken

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(sinks, "_LONGEST_WAIT_S", 0.002)


def made(stream: Stream, broker: MemoryBroker | None = None) -> KinesisSink:
    kafka = MemorySink(broker or MemoryBroker())
    return KinesisSink(kafka, "payments".__eq__, lambda _: stream, 5.0)  # type: ignore[arg-type, return-value]


def test_what_was_refused_is_sent_again_and_nothing_before_it() -> None:
    stream = Stream(3, Throttled(), 0, 2)
    sink = made(stream)
    for n in range(9):
        sink.send("payments", b"k", b"%d" % n)
    sink.flush(5.0)
    assert [one.value for one in stream.arrived] == [b"%d" % n for n in range(9)]
    assert stream.requests == 5
    sink.flush(5.0)
    assert stream.requests == 5, "all was confirmed: nothing is sent again"


def test_a_request_is_cut_where_aws_does_and_goes_out_when_it_is_full() -> None:
    stream = Stream()
    sink = made(stream)
    for _ in range(REQUEST_RECORDS + 1):
        sink.send("payments", b"k", b"v")
    assert len(stream.arrived) == REQUEST_RECORDS
    for _ in range(5):
        sink.send("payments", b"k", b"x" * (1 << 20))
    assert stream.requests == 2, "what has 4 MB is full"


def test_one_that_takes_nothing_is_told_in_time_and_what_waited_is_given_up() -> None:
    stream = Stream(*[0] * 10_000)
    sink = made(stream)
    sink.send("payments", b"k", b"v")
    with pytest.raises(BrokerUnavailable, match="1 records for payments in time"):
        sink.flush(0.05)
    stream.takes.clear()
    sink.flush(1.0)
    assert not stream.arrived


def test_other_topics_are_kafkas() -> None:
    broker = MemoryBroker()
    MemoryAdmin(broker).ensure_topic("alerts", 1, {})
    stream = Stream()
    sink = made(stream, broker)
    sink.send("alerts", b"k", b"v")
    sink.flush(1.0)
    (log,) = broker.topic("alerts").logs
    assert [record.value for record in log.records] == [b"v"] and not stream.requests


def test_what_kinesis_never_takes_is_refused_with_the_next_step() -> None:
    with pytest.raises(BrokerRefused, match="without a value: payments got none"):
        made(Stream()).send("payments", b"k", None)
    sink = made(Stream(Absent()))
    sink.send("payments", None, b"v")
    with pytest.raises(BrokerRefused, match="aws kinesis create-stream --stream-name payments"):
        sink.flush(1.0)
