"""The three Kafkas that one contract is checked against."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Protocol

import confluent_kafka
import pytest

from stormwatch.adapters import connect
from stormwatch.adapters.kafka.confluent.source import ConfluentSource
from stormwatch.adapters.kafka.pure.source import KafkaPythonSource
from stormwatch.adapters.memory import kafka as kafka_memory
from stormwatch.ports import Admin, Sink, Source
from stormwatch.records import Record
from stormwatch.settings import Settings

CLIENTS = [
    "memory",
    pytest.param("confluent", marks=pytest.mark.integration),
    pytest.param("kafka-python", marks=pytest.mark.integration),
]
WITHIN_S = 15.0
_SOURCES = {"confluent": ConfluentSource, "kafka-python": KafkaPythonSource}


class Cluster(Protocol):
    """Makes ports that share one Kafka; closes them at the end of the test."""

    group: str

    def source(self, topic: str, shelf_bytes: int = 16 << 20) -> Source: ...
    def sink(self) -> Sink: ...
    def admin(self) -> Admin: ...
    def gap(self, topic: str) -> None:
        """Write one record of key `k` and then offsets without a record to partition 0."""

    def others(self) -> Iterable["Cluster"]:
        """The same Kafka and group by the other client, where there is one."""


class Memory:
    def __init__(self, stack: ExitStack, control: str) -> None:
        self.stack, self.broker, self._control = stack, kafka_memory.MemoryBroker(), control
        self.group = "stormwatch"

    def source(self, topic: str, shelf_bytes: int = 0) -> Source:
        made = kafka_memory.MemorySource(self.broker, topic, control=self._control)
        return self.stack.enter_context(closing(made))

    def sink(self) -> Sink:
        return self.stack.enter_context(closing(kafka_memory.MemorySink(self.broker)))

    def admin(self) -> Admin:
        return self.stack.enter_context(closing(kafka_memory.MemoryAdmin(self.broker)))

    def gap(self, topic: str) -> None:
        self.broker.append(topic, b"k", b"v")
        self.broker.skip(topic, 0)

    def others(self) -> Iterable[Cluster]:
        return ()


class Real:
    def __init__(self, stack: ExitStack, settings: Settings) -> None:
        self.stack, self.settings, self.group = stack, settings, settings.kafka_group

    def source(self, topic: str, shelf_bytes: int = 16 << 20) -> Source:
        made = _SOURCES[self.settings.kafka_client](self.settings, topic, shelf_bytes)
        return self.stack.enter_context(closing(made))

    def sink(self) -> Sink:
        return self.stack.enter_context(closing(connect.sink(self.settings)))

    def admin(self) -> Admin:
        return self.stack.enter_context(closing(connect.admin(self.settings)))

    def gap(self, topic: str) -> None:
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": self.settings.kafka_bootstrap, "transactional.id": topic}
        )
        producer.init_transactions(WITHIN_S)
        producer.begin_transaction()
        producer.produce(topic, b"v", b"k")
        producer.commit_transaction(WITHIN_S)

    def others(self) -> Iterable[Cluster]:
        return [
            Real(self.stack, replace(self.settings, kafka_client=name))
            for name in _SOURCES
            if name != self.settings.kafka_client
        ]


def cluster(request: pytest.FixtureRequest, broker: str, unique) -> Iterator[Cluster]:
    """The body of the fixtures: `broker` names the fixture that gives settings."""
    with ExitStack() as stack:
        if request.param == "memory":
            yield Memory(stack, unique("control"))
        else:
            settings = replace(
                request.getfixturevalue(broker),
                kafka_client=request.param,
                kafka_group=unique("group"),
                topic_control=unique("control"),
            )
            yield Real(stack, settings)


def read(
    source: Source, count: int, within: float = WITHIN_S, at_once: int = 1000
) -> dict[int, list[Record]]:
    """Poll until `count` records came; fails if they do not."""
    out: dict[int, list[Record]] = {}
    deadline = time.monotonic() + within
    while sum(map(len, out.values())) < count:
        assert time.monotonic() < deadline, f"{sum(map(len, out.values()))} of {count} records"
        for partition, records in source.poll(at_once, 0.1).items():
            out.setdefault(partition, []).extend(records)
    return out


def wait_gone(source: Source, within: float = WITHIN_S) -> list[int]:
    """Poll until a partition is told to be out of range."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        assert source.poll(1000, 0.05) == {}
        if gone := source.gone():
            return gone
    pytest.fail("no partition was told to be gone")
