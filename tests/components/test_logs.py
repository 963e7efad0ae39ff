"""A position belongs to a log: on a real Kafka and a real Cassandra, by both Kafka clients.

The cases with all components: tests/runner/test_logs.py.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from apps.local.services import kafka as kafka_service
from apps.local.services import manage, ports, registry
from apps.local.services.home import Home, silent
from apps.operate import ledger
from apps.operate.ledger_verify import verify
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra_store
from stormwatch.adapters.cassandra.store import CassandraStore
from stormwatch.codec import Asides, to_fragment, to_values
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.parsing.batch import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Committed
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.testing.ports import ForgetfulSink
from tests.models.toy import Ping, Toy

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
RULES = Rules(BufferLimits(4, 100_000, 1000), 2, 180.0, "spout", 60.0)
POLICY = Policy(86_400_000, 86_400_000, 64)
CLIENTS = ("confluent", "kafka-python")


class Bench:
    """A topic of one partition, and the toy domain that decides it: one process, all real."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self.settings, self.topic = settings, topic
        self.store = cassandra_store.connect(settings)
        self._at, self._own = 0, topic  # keys and ids are those of this bench alone
        self.ask("ensure_topic", topic, 1, {})

    def ask(self, name: str, *arguments: object) -> Any:
        """A call of the admin."""
        with closing(connect.admin(self.settings)) as admin:
            return getattr(admin, name)(*arguments)

    def write(self, count: int, name: str = "n") -> list[str]:
        """Pings of one key; their ids."""
        made = []
        with closing(connect.sink(self.settings)) as sink:
            for _ in range(count):
                self._at += 1
                made.append(f"{self._own}-{self._at}")
                ping = Ping(made[-1], f"{self._own}-{name}", 1000 * self._at, 1)
                sink.send(self.topic, name.encode(), msgspec.json.encode(ping))
            sink.flush(20)
        return made

    def commit(self, offset: int, metadata: str = "", client: str = "confluent") -> None:
        """By hand."""
        settings = replace(self.settings, kafka_client=client)
        with closing(connect.source(settings, self.topic)) as source:
            source.commit({0: Committed(offset, metadata)}, wait=True)

    def run(self, client: str = "confluent") -> list[Fragment]:
        """Until nothing comes for a while; the batches."""
        settings = replace(self.settings, kafka_client=client)
        log = Subscription(self.topic, settings.kafka_group, "resume", "topic_toys")
        reader = Reader(
            lambda: connect.source(settings, self.topic), lambda: self.store, log, RULES, 0, 1,
            time.monotonic, Random(1),
        )  # fmt: skip
        batches = []
        work = _work(self.store)
        last = time.monotonic() + 5  # to open it
        while time.monotonic() - last < 1.5:
            for item in reader.step():
                last = time.monotonic()
                work(item)
                reader.ack(item.tup_id)
                if item.stream == BATCHES and not item.empty:
                    batches.append(item.fragment)
        reader.close()
        return batches

    def ledger(self, client: str = "confluent") -> TopicLedger:
        settings = replace(self.settings, kafka_client=client)
        with closing(connect.admin(settings)) as admin:
            assert verify(settings, admin, self.store, "toy", self.topic).sound
            return ledger.topic(settings, admin, self.store, self.topic)

    def decided(self) -> list[str]:
        return sorted(stored.row.id for stored in self.store.all_decisions("toy"))


def _work(store: CassandraStore) -> Callable[[InFlight], None]:
    """What the bolts do with what the spout sends."""
    score = ScoreStep(
        lambda: Contract(Toy(), POLICY, "toy"), StateCache(1 << 20), partial(stripe_of, stripes=4),
        lambda: store, lambda: 0,
    )  # fmt: skip
    sink = ForgetfulSink()
    commit = StoreStep(
        lambda: store, lambda: sink, Topics("alerts", "letters"), 1.0, lambda _: None,
    )  # fmt: skip

    def aside(fragment: Fragment, payload: Asides) -> None:
        store.write_aside("toy", payload.rows, payload.ledger, outcome_stamp(fragment))

    def work(item: InFlight) -> None:
        # As it travels: what a fragment believes goes with the tuple.
        fragment = to_fragment(to_values(item.fragment, None))
        if item.stream != BATCHES:
            assert isinstance(item.payload, Asides)
            aside(fragment, item.payload)
            return
        assert isinstance(item.payload, list)
        parsed, rejected = parse_batch(
            fragment, item.payload, Toy().parse, component="parse", record_max_bytes=1000, now=0
        )
        if rejected is not None:
            aside(fragment, rejected)
        outcomes = score.work_all([(fragment, parsed)])
        commit.work_all([(fragment, outcomes[0])])
        for step in (score, commit):
            step.finish(fragment, Outcome.DONE)

    return work


@pytest.fixture(scope="module")
def keyspace(services: Settings, unique: Callable[[str], str]) -> Settings:
    mine = replace(services, cassandra_keyspace=unique("logs"), layout_stripes=4)
    cassandra_store.apply(mine, ROOT / "schema" / "cql")
    return mine


@pytest.fixture
def bench(keyspace: Settings, unique: Callable[[str], str]) -> Iterator[Bench]:
    group, control = unique("g"), unique("control")
    made = Bench(replace(keyspace, kafka_group=group, topic_control=control), unique("t"))
    yield made
    made.store.close()


def whole(found: TopicLedger) -> dict[str, int]:
    """The end states of a log of which each offset has exactly one."""
    assert found.sound and not found.in_flight and not found.unread, found
    return found.states


def test_another_topic_and_a_topic_made_again_are_decided_whole(
    bench: Bench, unique: Callable[[str], str]
) -> None:  # cases 1 and 7
    first = bench.write(10)
    bench.run()
    old, bench.topic = bench.topic, unique("t")
    bench.ask("ensure_topic", bench.topic, 1, {})
    second = bench.write(8) + bench.write(4, "m")
    bench.run()
    assert whole(bench.ledger()) == {"scored": 12}
    bench.topic = old
    assert whole(bench.ledger()) == {"scored": 10}
    bench.ask("delete_topic", old)
    until = time.monotonic() + 30
    while not bench.ask("ensure_topic", old, 1, {}) and time.monotonic() < until:
        time.sleep(0.2)
    third = bench.write(9)
    found = bench.ledger()
    assert (found.states, found.in_flight, found.known) == ({}, 9, False)
    bench.run()
    assert whole(bench.ledger()) == {"scored": 9}
    assert set(bench.decided()) >= {*first, *second, *third}


def test_a_group_moved_on_and_back(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:  # 5
    bench.write(10)
    bench.run()
    skipped = bench.write(6)
    bench.commit(16)
    bench.write(4)
    assert [(f.first, f.last) for f in bench.run()] == [(16, 19)]
    assert "moved on to offset 16 by hand; reading had come to 10" in caplog.text
    found = bench.ledger()
    assert (found.unread, found.unaccounted, found.states) == (6, 0, {"scored": 14})
    bench.commit(10)
    bench.run("kafka-python")
    assert whole(bench.ledger()) == {"scored": 20}
    assert set(skipped) <= set(bench.decided())


def test_a_switch_of_clients_changes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:  # K1 and K2
    count, generations, epochs = 0, list[int](), set[int]()
    for client in (*CLIENTS, *CLIENTS, CLIENTS[1], CLIENTS[0]):
        bench.write(3)
        count += 3
        fragments = bench.run(client)
        epochs |= {f.epoch for f in fragments}
        generations += [f.generation for f in fragments]
        for other in CLIENTS:
            assert whole(bench.ledger(other)) == {"scored": count}
    assert len(epochs) == 1
    assert sorted(set(generations)) == list(range(1, 7))
    assert not [r for r in caplog.records if r.levelname == "WARNING" and "ingest" in r.name]
    for client in CLIENTS:  # as it was written before it ended with a NUL for both
        with closing(connect.source(bench.settings, bench.topic)) as source:
            metadata = source.committed([0])[0].metadata
        bench.commit(count, metadata.replace('"c":true', '"c":true,"x":"\u00e4"'), client)
        for other in CLIENTS:
            assert whole(bench.ledger(other)) == {"scored": count}


def test_a_kafka_restored_from_a_copy_of_its_disk(
    keyspace: Settings,
    tmp_path: Path,
    unique: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # cases 3 and 4: the same topic id, the log shorter or written anew
    home = Home(ROOT, tmp_path, ROOT / ".stormwatch" / "jars")
    broker = ports.free()
    plan = partial(kafka_service.plan, broker=broker, controller=ports.free(taken=[broker]))

    def up() -> Settings:
        return manage.with_entries(
            keyspace, manage.ensure(home, {kafka_service.NAME: plan}, silent)
        )

    def down() -> None:
        with registry.locked(home):
            manage.halt(home, list(registry.read(home)), silent)

    try:
        settings = up()
        bench = Bench(replace(settings, kafka_group=unique("g")), unique("t"))
        for _ in range(3):
            bench.write(2)
            bench.run()
        down()
        shutil.copytree(tmp_path / "kafka", tmp_path / "copy")
        up()
        lost = bench.write(4)
        bench.run()
        down()
        shutil.rmtree(tmp_path / "kafka")
        shutil.move(tmp_path / "copy", tmp_path / "kafka")
        up()
        new = bench.write(8)
        bench.run()
        assert whole(bench.ledger()) == {"scored": 14}
        assert set(bench.decided()) >= {*lost, *new}
    finally:
        down()
