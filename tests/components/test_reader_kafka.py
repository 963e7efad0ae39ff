"""The reader of a spout task over a real Kafka, by both clients."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from apps.local.services import kafka as kafka_service
from apps.local.services import manage, ports, registry
from apps.local.services.home import Home, silent
from stormwatch.adapters import connect as adapters
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.epochs import epoch_of
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.commit_metadata import read_mark
from stormwatch.ingest.in_flight import BATCHES, NOTICES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.settings import Settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
RULES = Rules(BufferLimits(100, 100_000, 1000), 2, 180.0, "spout", 60.0)
CLIENTS = ("confluent", "kafka-python")


class World:
    """A topic of a real Kafka, and the reader of it."""

    def __init__(self, settings: Settings, topic: str, partitions: int = 2) -> None:
        self.settings, self.topic = settings, topic
        self.admin, self.sink = adapters.admin(settings), adapters.sink(settings)
        self.admin.ensure_topic(topic, partitions, {})
        self.ahead, self.store = 0.0, MemoryStore()
        self.readers: list[Reader] = []
        self.start()

    def start(self) -> None:
        self.reader = Reader(
            lambda: adapters.source(self.settings, self.topic), lambda: self.store,
            Subscription(self.topic, self.settings.kafka_group, "resume"), RULES, 0, 1,
            lambda: time.monotonic() + self.ahead, Random(1),
        )  # fmt: skip
        self.readers.append(self.reader)

    def write(self, count: int) -> None:
        for n in range(count):
            self.sink.send(self.topic, b"k%d" % n, b"v%d" % n)
        self.sink.flush(20)

    def step(self) -> list[InFlight]:
        began = time.monotonic()
        items = self.reader.step()
        assert time.monotonic() - began < 10
        return items

    def drain(self, seconds: float = 2.0) -> list[InFlight]:
        """Ack all; until nothing came for `seconds`."""
        out: list[InFlight] = []
        last = time.monotonic()
        while time.monotonic() - last < seconds:
            for item in self.step():
                last = time.monotonic()
                out.append(item)
                self.reader.ack(item.tup_id)
        return out

    def close(self) -> None:
        for each in (*(r._poller.source for r in self.readers), self.admin, self.sink):
            if each:
                each.close()


@pytest.fixture(params=CLIENTS)
def world(
    request: pytest.FixtureRequest, kafka: Settings, unique: Callable[[str], str]
) -> Iterator[World]:
    settings = replace(
        kafka, kafka_client=request.param, kafka_group=unique("g"), topic_control=unique("control")
    )
    world = World(settings, unique("t"))
    yield world
    world.close()


def offsets(items: list[InFlight], stream: str = BATCHES) -> list[tuple[int, int]]:
    return sorted(
        (i.fragment.partition, offset)
        for i in items if i.stream == stream
        for offset in range(i.fragment.first, i.fragment.last + 1)
    )  # fmt: skip


def test_all_is_read_once_and_the_next_run_goes_on(world):
    world.write(500)
    assert len(set(offsets(world.drain()))) == 500
    world.reader.close()
    world.write(50)
    world.start()
    items = world.drain()
    assert len(offsets(items)) == 50
    assert {i.fragment.generation for i in items} == {2}
    commits = world.admin.committed(world.settings.kafka_group, world.topic)
    assert sum(c.offset for c in commits.values()) == 550


def test_what_was_not_acked_comes_again_after_a_crash(world):
    world.write(20)
    deadline = time.monotonic() + 20
    seen: list[InFlight] = []
    while not any(i.stream == BATCHES for i in seen) and time.monotonic() < deadline:
        for item in world.step():
            seen.append(item)
            if item.stream == NOTICES:
                world.reader.ack(item.tup_id)
    world.start()
    items = world.drain()
    assert len(offsets(items)) == 20
    sizes = [i.records for i in items if i.stream == BATCHES]
    assert sizes[0] == 0  # slow start: an empty batch, to see that the bolts live
    assert next(size for size in sizes if size) == 1
    mark = next(iter(world.admin.committed(world.settings.kafka_group, world.topic).values()))
    assert read_mark(mark.metadata).generation == 2


def test_deleted_records_are_expired_before_and_in_the_run(world):
    world.write(100)
    world.drain()
    highs = {p: w.high for p, w in world.admin.watermarks(world.topic).items()}
    world.reader.close()
    world.write(2000)
    world.admin.delete_records(world.topic, {p: high + 3 for p, high in highs.items()})
    world.start()
    flying: list[InFlight] = []
    deadline = time.monotonic() + 20
    while len(flying) < 2 and time.monotonic() < deadline:
        flying += world.step()
    assert sorted((i.stream, i.fragment.first, i.fragment.last) for i in flying) == sorted(
        (NOTICES, high, high + 2) for high in highs.values()
    )
    for _ in range(300):  # what is read ahead is bounded
        world.step()
    ends = {p: w.high for p, w in world.admin.watermarks(world.topic).items()}
    world.admin.delete_records(world.topic, {p: end - 5 for p, end in ends.items()})
    for item in flying:
        world.reader.ack(item.tup_id)
    items = flying + world.drain(4)
    everything = offsets(items) + offsets(items, NOTICES)
    assert sorted(everything) == [(p, o) for p in highs for o in range(highs[p], ends[p])]
    assert set(offsets(items)) >= {(p, o) for p in ends for o in range(ends[p] - 5, ends[p])}


def test_added_partitions_are_read(world):
    world.write(10)
    world.drain()
    world.admin.add_partitions(world.topic, 4)
    world.ahead += 31
    deadline = time.monotonic() + 30
    items: list[InFlight] = []
    while len(items) < 4 and time.monotonic() < deadline:
        items += world.drain(1)
        world.ahead += 31
    resized = epoch_of(64, 1)
    found = {(i.fragment.epoch, i.fragment.partition) for i in items}
    assert found == {(resized, p) for p in range(4)}


def test_a_topic_made_again_while_it_is_read_is_another_log(world, caplog):
    world.write(10)
    world.drain()
    world.admin.delete_topic(world.topic)
    deadline = time.monotonic() + 30
    while not world.admin.ensure_topic(world.topic, 2, {}) and time.monotonic() < deadline:
        time.sleep(0.2)
    world.write(7)
    world.ahead += 31
    items: list[InFlight] = []
    until = time.monotonic() + 30
    while len(offsets(items)) < 7 and time.monotonic() < until:
        items += world.drain(1)
        world.ahead += 31
    assert len(offsets(items)) == 7
    assert {i.fragment.epoch for i in items} == {epoch_of(65, 0)}
    assert "was deleted and made again while it was read" in caplog.text


@pytest.mark.slow
def test_a_killed_kafka_is_waited_for_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(ROOT, tmp_path, ROOT / ".stormwatch" / "jars")
    broker = ports.free()
    plan = partial(kafka_service.plan, broker=broker, controller=ports.free(taken=[broker]))
    plans = {kafka_service.NAME: plan}
    try:
        settings = manage.with_entries(Settings(), manage.ensure(home, plans, silent))
        settings = replace(settings, kafka_client="confluent", kafka_request_timeout_s=3.0)
        world = World(settings, "t")
        world.write(40)
        items = world.drain()
        world.write(40)
        flying = [i for _ in range(20) for i in world.step()]
        caplog.clear()  # a broker just started may keep a commit waiting for its coordinator
        os.kill(registry.read(home)[kafka_service.NAME].pid, signal.SIGKILL)
        for item in flying:
            world.reader.ack(item.tup_id)
        items += flying + world.drain(15)  # each step within 10 s, no exception
        assert caplog.text.count("Kafka does not answer") == 1
        manage.ensure(home, plans, silent)
        deadline = time.monotonic() + 60
        while "Kafka answers again" not in caplog.text and time.monotonic() < deadline:
            items += world.drain(1)
        world.write(20)
        items += world.drain(5)
        assert len(set(offsets(items))) == len(offsets(items)) == 100
        commits = world.admin.committed(settings.kafka_group, "t")
        assert sum(c.offset for c in commits.values()) == 100
        world.close()
    finally:
        manage.halt(home, list(registry.read(home)), silent)
