"""Publishing paced by words from the run; events that go on in time."""

import threading
import time
from collections.abc import Iterator
from itertools import count, islice

import msgspec
import pytest

from apps.data.generate.transactions import START
from apps.data.publish import Keyed
from apps.local.run.events import generated, newest_time
from apps.local.run.publisher import OPENING, Gate, May, Order, Word, listen, obey, opening
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySink, MemorySource


@pytest.fixture
def broker() -> MemoryBroker:
    found = MemoryBroker()
    MemoryAdmin(found).ensure_topic("transactions", 3, {})
    MemoryAdmin(found).ensure_topic("stormwatch-control", 1, {})
    return found


def in_topic(broker: MemoryBroker) -> int:
    return sum(m.high for m in MemoryAdmin(broker).watermarks("transactions").values())


def times(events: Iterator[Keyed], number: int) -> list[str]:
    return [msgspec.json.decode(event.value)["time"] for event in islice(events, number)]


def test_a_gate_lets_as_many_through_as_may_wait_undecided() -> None:
    gate = Gate()
    gate.hear(Word(decided=5))
    taken: list[int] = []

    def take() -> None:
        taken.extend(gate.limited(iter(range(1000)), 10))

    taker = threading.Thread(target=take)
    taker.start()
    deadline = time.monotonic() + 10
    while len(taken) < 15 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(taken) == 15  # 5 decided and 10 waiting
    gate.hear(Word(decided=3))  # an older word changes nothing
    gate.hear(Word(stop=True))
    taker.join(10)
    assert not taker.is_alive()


def test_the_end_of_the_words_is_a_stop() -> None:
    gate = Gate()
    listen(gate, [msgspec.json.encode(Word(decided=7))])
    assert gate.stop.is_set()
    assert list(gate.limited(count(), 10)) == []


def test_a_second_run_goes_on_after_the_newest_event_of_the_first(broker: MemoryBroker) -> None:
    def publish(run: str, number: int) -> int:
        gate = Gate()
        order = Order("transactions", "transactions", 0, run, ".")
        sent: list[int] = []

        def work() -> None:
            source = MemorySource(broker, "transactions")
            sent.append(obey(order, gate, MemorySink(broker), source))

        before = in_topic(broker)
        worker = threading.Thread(target=work)
        worker.start()
        deadline = time.monotonic() + 20
        while in_topic(broker) - before < number and time.monotonic() < deadline:
            time.sleep(0.01)
        gate.hear(Word(stop=True))
        worker.join(20)
        assert in_topic(broker) - before == sent[0]  # all that was sent is confirmed
        return sent[0]

    first = publish("run-1", 500)
    newest = newest_time(MemorySource(broker, "transactions"))
    assert newest is not None
    assert newest > START
    publish("run-2", 500)
    later = newest_time(MemorySource(broker, "transactions"))
    assert later is not None
    assert later > newest
    source = MemorySource(broker, "transactions")
    source.assign({0: 0, 1: 0, 2: 0})
    events: list[tuple[str, str]] = []
    while len(events) < in_topic(broker):
        for records in source.poll(100_000, 0.1).values():
            values = [msgspec.json.decode(record.value or b"") for record in records]
            events += [(value["id"], value["time"]) for value in values]
    assert len({identity for identity, _ in events}) == len(events)
    ended = max(when for identity, when in events if identity.startswith("run-1-"))
    begun = min(when for identity, when in events if identity.startswith("run-2-"))
    assert begun > ended
    assert first >= 500


def test_labels_go_to_their_own_topic_once_event_time_has_come_to_them(
    broker: MemoryBroker,
) -> None:
    MemoryAdmin(broker).ensure_topic("labels", 3, {})
    gate = Gate()
    order = Order("transactions", "transactions", 0, "run-1", ".", labels="labels")
    source = MemorySource(broker, "transactions")
    worker = threading.Thread(target=lambda: obey(order, gate, MemorySink(broker), source))
    worker.start()

    def labels() -> int:
        return sum(m.high for m in MemoryAdmin(broker).watermarks("labels").values())

    deadline = time.monotonic() + 60
    while not labels() and time.monotonic() < deadline:
        gate.hear(Word(decided=in_topic(broker)))
        time.sleep(0.01)
    gate.hear(Word(stop=True))
    worker.join(20)
    assert labels()
    assert in_topic(broker) > 7 * 10_000, "seven days of 5,000 customers"


def test_what_is_no_event_has_no_say_in_the_newest_time(broker: MemoryBroker) -> None:
    source = MemorySource(broker, "transactions")
    assert newest_time(source) is None
    sink = MemorySink(broker)
    for value in (b"\xff", b"[[", b'{"time":5}', None, b'{"time":"2025-01-01T00:00:00Z"}'):
        sink.send("transactions", b"k", value)
    sink.flush(1)
    assert newest_time(source) == 1_735_689_600_000


def test_readings_of_two_runs_are_of_different_units() -> None:
    one, two = (
        {event.key for event in islice(generated("readings", 0, run, None, units=3), 9)}
        for run in ("a", "b")
    )
    assert len(one) == 3
    assert one.isdisjoint(two)


def test_the_same_arguments_give_the_same_transactions() -> None:
    one, two = (times(generated("transactions", 4, "r", 1_600_000_000_000), 50) for _ in range(2))
    assert one == two
    assert one[0] > "2020-09-13"


def test_it_sends_nothing_before_it_may_then_a_few_and_then_the_rest(
    broker: MemoryBroker,
) -> None:
    gate = Gate(May.NOTHING)
    order = Order("transactions", "transactions", 0, "run-1", ".")
    source = MemorySource(broker, "transactions")
    sent: list[int] = []
    worker = threading.Thread(
        target=lambda: sent.append(obey(order, gate, MemorySink(broker), source))
    )
    worker.start()

    def until(number: int) -> int:
        deadline = time.monotonic() + 20
        while in_topic(broker) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        return in_topic(broker)

    assert until(0) == 0
    gate.hear(Word(may=May.OPENING))
    assert until(OPENING) == OPENING
    gate.hear(Word(decided=OPENING))  # says nothing of what it may
    assert until(OPENING) == OPENING
    gate.hear(Word(may=May.ALL))
    assert until(OPENING + 1_000) > OPENING + 999
    gate.hear(Word(stop=True))
    worker.join(20)
    assert sent == [in_topic(broker)]


def test_one_that_may_send_nothing_can_be_stopped(broker: MemoryBroker) -> None:
    gate = Gate(May.NOTHING)
    gate.hear(Word(stop=True))
    order = Order("transactions", "transactions", 0, "run-1", ".")
    assert obey(order, gate, MemorySink(broker), MemorySource(broker, "transactions")) == 0


def test_the_first_records_are_a_second_of_a_slow_stream() -> None:
    assert [opening(rate) for rate in (0, 0.1, 5, 500)] == [OPENING, 1, 5, OPENING]
