"""Publishing keeps its rate, and what Kafka did not confirm is sent again."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.data import mappings
from apps.data.publish import (
    CHUNK,
    CHUNK_BYTES,
    CONFIRM_EVERY_S,
    TICK_S,
    Event,
    linger_ms,
    publish,
)
from apps.local.run import publishing
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySink, MemorySource
from stormwatch.errors import BrokerRefused, BrokerUnavailable, SettingsError, StormwatchError
from stormwatch.parsing.mapping import text_of
from stormwatch.settings import Settings


class Clock:
    """Time that passes only by waiting; also the stop signal."""

    def __init__(self, broker: MemoryBroker | None = None, until: float = 1e9) -> None:
        self.now, self.until, self.broker = 100.0, until, broker
        self.up_at = self.lag = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float) -> bool:
        self.now += timeout + self.lag
        if self.broker is not None and not self.broker.is_up and self.now >= self.up_at:
            self.broker.up()
        return self.is_set()

    def is_set(self) -> bool:
        return self.now >= self.until


class TimedSink:
    """Notes when each record was sent."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.times = clock, []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self.times.append(self.clock() - 100)

    def flush(self, timeout: float) -> None: ...
    def close(self) -> None: ...


def events(count: int) -> list[Event]:
    return [Event(b"k", b"%d" % i) for i in range(count)]


def values(broker: MemoryBroker) -> list[int]:
    source = MemorySource(broker, "t")
    source.assign({0: 0})
    return [int(r.value or b"") for r in source.poll(10**9, 0).get(0, [])]


@given(st.floats(0.5, 20_000), st.integers(1, 300), st.floats(0, 0.003))
def test_records_leave_when_they_are_due(rate: float, count: int, lag: float) -> None:
    """No sooner than the rate allows, later only by a tick and the waits' own lag: no drift."""
    clock = Clock()
    clock.lag = lag
    sink = TimedSink(clock)
    assert publish(sink, "t", events(count), rate, None, clock, lambda _: None, clock) == count
    for number, at in enumerate(sink.times, start=1):
        assert -1e-6 <= at - number / rate <= TICK_S + lag + 1e-6


def test_rate_zero_never_waits() -> None:
    broker, clock = MemoryBroker(), Clock()
    count = 3 * CHUNK + 7
    told: list[int] = []
    assert (
        publish(MemorySink(broker), "t", events(count), 0, None, clock, told.append, clock) == count
    )
    assert clock.now == 100
    assert values(broker) == list(range(count))
    assert told == [CHUNK, 2 * CHUNK, 3 * CHUNK, count]


def test_count_and_stop_end_it() -> None:
    broker = MemoryBroker()
    clock = Clock()
    assert publish(MemorySink(broker), "t", events(50), 0, 20, clock, lambda _: None, clock) == 20
    clock = Clock(until=102.0)
    sent = publish(MemorySink(broker), "t", events(10**5), 100, None, clock, lambda _: None, clock)
    assert 198 <= sent <= 202
    assert publish(MemorySink(broker), "t", [], 5, None, clock, lambda _: None, clock) == 0


def test_progress_is_told_often() -> None:
    clock, told = Clock(), list[tuple[float, int]]()
    sink = MemorySink(MemoryBroker())
    publish(sink, "t", events(1000), 100, None, clock, lambda n: told.append((clock(), n)), clock)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(told)]
    assert max(gaps) < CONFIRM_EVERY_S + 0.1
    assert told[-1][1] == 1000


@given(st.integers(1, 400), st.integers(0, 400), st.sampled_from([0.0, 150.0]))
def test_an_outage_loses_nothing(count: int, fall: int, rate: float) -> None:
    broker = MemoryBroker()
    clock = Clock(broker)

    def source():
        for number, event in enumerate(events(count)):
            if number == fall:
                broker.down()
                clock.up_at = clock.now + 30
            yield event

    sent = publish(MemorySink(broker), "t", source(), rate, None, clock, lambda _: None, clock)
    assert sent == count
    assert set(values(broker)) == set(range(count))
    if fall < count:
        assert clock.now >= 130


def test_stopped_during_an_outage_it_says_so() -> None:
    broker = MemoryBroker()
    clock = Clock(broker, until=110)
    clock.up_at = 1e9
    broker.down()
    with pytest.raises(BrokerUnavailable):
        publish(MemorySink(broker), "t", events(10), 0, None, clock, lambda _: None, clock)
    assert clock.now <= 112


@pytest.mark.parametrize("good", [0, 7, CHUNK + 7])
def test_an_error_of_the_events_is_raised_when_what_came_before_is_confirmed(good: int) -> None:
    broker, told = MemoryBroker(), list[int]()

    def source():
        yield from events(good)
        raise StormwatchError("line 8 is too long")

    with pytest.raises(StormwatchError, match="line 8"):
        publish(MemorySink(broker), "t", source(), 0, None, Clock(), told.append, Clock())
    assert values(broker) == list(range(good))
    assert told[-1] == good


def test_a_record_that_kafka_refuses_ends_it_when_what_came_before_is_confirmed() -> None:
    broker, told = MemoryBroker(), list[int]()

    class Refusing(MemorySink):
        def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
            if value == b"7":
                raise BrokerRefused("too large")
            super().send(topic, key, value)

    with pytest.raises(BrokerRefused):
        publish(Refusing(broker), "t", events(50), 0, None, Clock(), told.append, Clock())
    assert values(broker) == list(range(7))
    assert told[-1] == 7


def test_what_waits_to_be_confirmed_is_bounded_in_bytes() -> None:
    broker, told = MemoryBroker(), list[int]()
    large = [Event(b"k", bytes(CHUNK_BYTES // 4 + 1)) for _ in range(9)]
    publish(MemorySink(broker), "t", large, 0, None, Clock(), told.append, Clock())
    assert told == [4, 8, 9]


def test_an_error_says_how_many_were_published_before_it() -> None:
    def source():
        yield from events(1234)
        raise StormwatchError("Line 1,235 of x is longer than 12 MB.")

    asked = publishing.Asked("transactions", 0, None, 0, 1, 1, ())
    with pytest.raises(StormwatchError, match=r"12 MB. 1,234 records were published before it.$"):
        publishing._publish(
            MemorySink(MemoryBroker()), "t", source(), asked, threading.Event(), lambda *_: None
        )


def test_a_topic_that_a_mapping_names_may_be_asked_for_and_no_other() -> None:
    mapping = 'topic = "mobile"\n' + text_of("preset:paysim")
    settings = Settings(mapping_transactions=mapping)
    asked = publishing.Asked("transactions", 0, None, 0, 1, 1, ())
    assert asked.topic_in(settings) == "transactions"
    assert asked._replace(topic="mobile").topic_in(settings) == "mobile"
    with pytest.raises(SettingsError, match="The topics are: transactions, mobile"):
        asked._replace(topic="mobil").topic_in(settings)


def test_generated_events_are_not_sent_to_a_topic_that_has_a_mapping() -> None:
    settings = Settings(mapping_transactions=text_of("preset:paysim"))
    asked = publishing.Asked("transactions", 0, None, 0, 1, 1, ())
    with pytest.raises(SettingsError, match="STORMWATCH_MAPPING_TRANSACTIONS= ./stormwatch"):
        publishing.by_hand(settings, asked, lambda *_: None)
    mappings.expect_none(settings, "readings", "readings")


def test_a_record_waits_only_where_others_come_in_that_time() -> None:
    assert linger_ms(4) == 1
    assert linger_ms(500) == 20
    assert linger_ms(0) is None, "all are sent in one go"
