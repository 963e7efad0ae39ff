"""Take, append, flush, acknowledge: whatever dies in between, nothing is missing in the log."""

import threading
import time
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.land import intake as land
from apps.land import streams
from apps.land.appender import Append, Appender
from apps.land.figures import Figures
from apps.land.intake import Message, carry
from apps.land.streams import Stream, with_id
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemorySink
from stormwatch.errors import BrokerRefused, BrokerUnavailable, InfrastructureError
from tests.models.pushed import SETTINGS, payment


@pytest.fixture(scope="module")
def stream() -> Stream:
    return streams.of_topics(SETTINGS, ["transactions"])["transactions"]


class Died(Exception):
    """The process ended here."""


class Queue:
    """A source that gives what is not acknowledged again, from the oldest on; dies as told."""

    def __init__(self, values: Sequence[bytes], deaths: Iterator[str], batch: int) -> None:
        self.left = [Message(value, f"m{n}", None, n) for n, value in enumerate(values)]
        self.acknowledged: list[int] = []
        self.log: MemoryBroker
        self._deaths, self._batch, self.held = deaths, batch, 0
        self.stop = threading.Event()

    def take(self, most: int, timeout: float) -> list[Message]:
        if not self.left:
            self.stop.set()
        self.dies = next(self._deaths, "")
        if self.dies == "away":
            raise InfrastructureError("away")
        if self.dies == "taken":
            raise Died
        return self.left[: self._batch]

    def hold(self, messages: Sequence[Message]) -> None:
        self.held += 1

    def done(self, messages: Sequence[Message]) -> None:
        if self.dies == "flushed":
            raise Died
        there = {record.value for log in self.log._topics["transactions"].logs
                 for record in log.records}  # fmt: skip
        assert all(message.value in there for message in messages), "acknowledged, not in the log"
        self.acknowledged += [message.handle for message in messages]
        self.left = [one for one in self.left if one.handle not in set(self.acknowledged)]

    def close(self) -> None:
        pass


class Sink(MemorySink):
    """Dies in the middle of an append."""

    def __init__(self, broker: MemoryBroker, source: Queue) -> None:
        super().__init__(broker)
        self._source, self._sent = source, 0

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._sent += 1
        if self._source.dies == "sending" and self._sent % 3 == 2:
            raise Died
        if self._source.dies == "unconfirmed" and self._sent % 3 == 2:
            self._source.dies = ""
            raise BrokerUnavailable("not confirmed")
        super().send(topic, key, value)


DEATHS = st.lists(
    st.sampled_from(["", "away", "taken", "sending", "unconfirmed", "flushed"]), max_size=20
)


@given(DEATHS, st.integers(1, 7), st.integers(0, 15))
def test_whatever_dies_everything_is_in_the_log_in_each_keys_order(
    deaths: list[str], batch: int, count: int
) -> None:
    stream = streams.of_topics(SETTINGS, ["transactions"])["transactions"] if not MADE else MADE[0]
    MADE[:] = [stream]
    broker = MemoryBroker(default_partitions=2)
    source = Queue([payment(n) for n in range(count)], iter(deaths), batch)
    source.log = broker
    before = land.RETRY_S, land.RETRY_MAX_S
    land.RETRY_S = land.RETRY_MAX_S = 0.0
    try:
        while not source.stop.is_set():
            appender = Appender(lambda: Sink(broker, source), 1.0)
            try:
                carry(source, stream, appender, Figures(), source.stop)
            except Died:
                pass  # started again
            finally:
                appender.close()
    finally:
        land.RETRY_S, land.RETRY_MAX_S = before
    assert sorted(source.acknowledged) == list(range(count))
    topic = broker.topic("transactions")
    first: dict[bytes, list[int]] = {}
    for log in topic.logs if topic else []:
        for record in log.records:
            number = int(msgspec.json.decode(record.value)["id"][1:])
            seen = first.setdefault(record.key, [])
            if number not in seen:
                seen.append(number)
    assert all(seen == sorted(seen) for seen in first.values())
    assert sorted(n for seen in first.values() for n in seen) == list(range(count))


MADE: list[Stream] = []


def test_while_kafka_is_away_messages_are_held_and_then_appended(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(land, "RETRY_S", 0.01)
    broker = MemoryBroker()
    source = Queue([payment(n) for n in range(5)], iter(()), 10)
    source.log = broker
    broker.down()
    figures = Figures()
    appender = Appender(lambda: MemorySink(broker), 1.0)
    running = threading.Thread(target=carry, args=(source, stream, appender, figures, source.stop))
    running.start()
    until = time.monotonic() + 10
    while source.held < 3 and time.monotonic() < until:
        time.sleep(0.005)
    assert source.held >= 3 and not source.acknowledged
    broker.up()
    running.join(10)
    appender.close()
    assert source.acknowledged == list(range(5))
    assert "stormwatch_land_failed_appends_total" in figures.text().decode()


def test_what_is_no_event_is_landed_all_the_same_and_cut_where_it_is_too_large(
    stream: Stream,
) -> None:
    """Nobody hears of a refusal: the topology will say it, and keep the record."""
    odd = [b"", b"no JSON", b"\xff\xfe", b"[]", b"{}", b"x" * 1_000_000, payment(1), payment(1)]
    broker = MemoryBroker(default_partitions=2)
    source = Queue(odd, iter(()), 3)
    source.log = broker
    landed = [stream.bounded(value) for value in odd]
    source.left = [Message(value, "", b"key", n) for n, value in enumerate(landed)]
    appender = Appender(lambda: MemorySink(broker), 1.0)
    carry(source, stream, appender, Figures(), source.stop)
    appender.close()
    topic = broker.topic("transactions")
    assert topic is not None
    there = [record.value for log in topic.logs for record in log.records]
    assert sorted(there) == sorted(landed)
    assert max(map(len, there)) == SETTINGS.record_max_bytes + 1
    looked = {value: stream.look(value, 1_800_000_000_000) for value in there}
    codes = {getattr(found, "code", "event") for found in looked.values()}
    assert codes == {"empty", "not_json", "wrong_type", "missing_field", "too_large", "event"}


def test_a_message_without_an_id_gets_that_of_the_message(stream: Stream) -> None:
    assert with_id(b' {"a": 1}', "77") == b'{"id":"77","a": 1}'
    assert with_id(b"{}", "77") == b'{"id":"77"}'
    for same in (b'{"id": "x"}', b"[1]", b"{", b"\xff", b""):
        assert with_id(same, "77") == same
    long = stream.bounded(b"x" * 100_000)
    assert len(long) == SETTINGS.record_max_bytes + 1


def test_one_record_that_kafka_refuses_fails_nobody_elses() -> None:
    class Refusing(MemorySink):
        def flush(self, timeout: float) -> None:
            if any(value == b"poison" for _, _, value in self._queue):
                self._queue.clear()
                raise BrokerRefused("too large")
            super().flush(timeout)

        def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
            self._queue.append((topic, key, value))

    broker, gate = MemoryBroker(), threading.Event()

    def connect() -> MemorySink:
        gate.wait(10)
        return Refusing(broker)

    appender = Appender(connect, 1.0)
    first = appender.append([Append("t", None, b"0")])
    given = [appender.append([Append("t", None, v)]) for v in (b"1", b"poison", b"2")]
    gate.set()
    first.result(10)
    given[0].result(10)
    given[2].result(10)
    with pytest.raises(BrokerRefused):
        given[1].result(10)
    appender.close()
    assert {r.value for r in broker.log("t", 0).records} == {b"0", b"1", b"2"}
