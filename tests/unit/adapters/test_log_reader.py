"""Offsets a to b of a topic, over the port that every client has."""

from collections.abc import Mapping

import pytest

from stormwatch.adapters import log_reader
from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySink, MemorySource
from stormwatch.errors import BrokerUnavailable, TopicError

TOPIC = "transactions"


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    MemoryAdmin(made).ensure_topic(TOPIC, 1, {})
    for n in range(2500):
        made.append(TOPIC, b"k", b"%d" % n, 0)
    return made


def test_exactly_what_was_asked_for_comes_in_order(broker: MemoryBroker) -> None:
    found = [
        r for some in log_reader.records(MemorySource(broker, TOPIC), 0, 7, 2400) for r in some
    ]
    assert [record.offset for record in found] == list(range(7, 2400))


def test_offsets_that_hold_no_record_are_an_end_to_one_and_an_outage_to_the_other(
    broker: MemoryBroker,
) -> None:
    broker.skip(TOPIC, 0)
    end = 2501
    last = [
        some[-1].offset for some in log_reader.records(MemorySource(broker, TOPIC), 0, 0, end, 0)
    ]
    assert last[-1] == 2499
    with pytest.raises(BrokerUnavailable, match="did not deliver offset 2500"):
        list(log_reader.whole(MemorySource(broker, TOPIC), 0, 0, end, 0))
    broker.append(TOPIC, b"k", b"after", 0)
    assert sum(map(len, log_reader.whole(MemorySource(broker, TOPIC), 0, 0, 2502, 0))) == 2501


def test_what_kafka_deleted_is_told(broker: MemoryBroker) -> None:
    broker.delete_records(TOPIC, 0, 40)
    with pytest.raises(TopicError, match="from offset 40 on only, 0 is gone"):
        list(log_reader.records(MemorySource(broker, TOPIC), 0, 0, 2500))


def test_the_last_value_of_a_key_is_found_also_where_the_oldest_are_deleted_meanwhile(
    broker: MemoryBroker,
) -> None:
    class Deleting(MemorySource):
        def assign(self, positions: Mapping[int, int]) -> None:
            super().assign(positions)
            if positions == {0: 0}:
                broker.delete_records("control", 0, 2)

    control = Control(
        "control", lambda: MemoryAdmin(broker), lambda name: Deleting(broker, name),
        lambda: MemorySink(broker), 1.0,
    )  # fmt: skip
    assert control.recall("a") is None
    for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"4")):
        control.remember(key, value)
    assert (control.recall("a"), control.recall("b"), control.recall("c")) == (b"3", b"4", None)
    broker.skip("control", 0)
    with pytest.raises(BrokerUnavailable, match="did not deliver"):
        control._replace(timeout=0).recall("a")
