"""One `sparse run -n fraud` on real services, with everything of its own, to do harm to."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import confluent_kafka
import psutil
import pytest

from apps import ledger as ledgers
from apps.run import prepare
from apps.services import cassandra as cassandra_service
from apps.services import kafka as kafka_service
from apps.services import manage, process, registry
from apps.services.home import Home, silent
from stormwatch.adapters import cassandra, kafka
from stormwatch.errors import InfrastructureError
from stormwatch.fraud import Fraud
from stormwatch.fraud.parse import parse
from stormwatch.ledger import TopicLedger
from stormwatch.ports import Admin, Store
from stormwatch.records import Record
from stormwatch.settings import Settings, variable
from tests.e2e import oracle
from tests.e2e.project import ROOT, Project
from tests.e2e.traffic import KeyValue

JVM = "org.apache.storm.LocalCluster"
BOLT = "bolts.fraud.FraudBolt"
SPOUT = "spouts.transactions.TransactionSpout"
_POLL_S = 0.2
_PLANS = {kafka_service.NAME: kafka_service.plan, cassandra_service.NAME: cassandra_service.plan}
_FOREVER_MS = str(2**63 - 1)
ANY_TIME = {"message.timestamp.after.max.ms": _FOREVER_MS}
"""Of a topic that takes records of the future."""


class Scene:
    """A project directory, topics, tables and a group of this test; Kafka and Cassandra shared."""

    def __init__(self, services: Settings, home: Home, root: Path, name: str) -> None:
        self.home = home
        self.project = Project(root)
        self.settings = replace(
            services,
            kafka_group=name,
            kafka_partitions=2,
            topic_transactions=f"{name}.transactions",
            topic_readings=f"{name}.readings",
            topic_alerts=f"{name}.alerts",
            topic_dead_letters=f"{name}.dead-letters",
            topic_control=f"{name}.control",
            cassandra_keyspace=name,
            run_dir=".stormwatch",
        )
        for each in ("project.clj", "config.json"):
            shutil.copy(ROOT / each, root / each)
        for each in ("src", "topologies"):
            shutil.copytree(ROOT / each, root / each, ignore=shutil.ignore_patterns("__pycache__"))
        (root / ".stormwatch").mkdir()
        (root / ".stormwatch" / "jars").symlink_to(home.jars)

    # The run

    def start(self, topology: str = "fraud", **changes: object) -> None:
        """`sparse run -n TOPOLOGY` with settings changed from the defaults by environment."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        default, told = Settings(), {}
        for each in fields(Settings):
            value = getattr(self.settings, each.name)
            if value != getattr(default, each.name):
                told[variable(each.metadata["key"])] = str(value)
        self.project.sparse("run", "-n", topology, **told)

    @property
    def run(self) -> "subprocess.Popen[str]":
        return self.project.running[-1]

    def said(self) -> str:
        """All that the last run printed."""
        return self.project.said(len(self.project.running) - 1)

    def stop(self) -> None:
        """SIGTERM, which a run in the background hears too."""
        self.run.terminate()
        assert self.run.wait(timeout=20) == 143, self.said()

    def pids(self, part: str) -> list[int]:
        """Processes of the run whose command line names `part`."""
        found = []
        for child in psutil.Process(self.run.pid).children(recursive=True):
            try:
                if part in " ".join(child.cmdline()).split():
                    found.append(child.pid)
            except psutil.NoSuchProcess:
                continue
        return sorted(found)

    def kill(self, part: str) -> int:
        """kill -9 of one process, as soon as there is one; its pid."""
        self.until(lambda: self.pids(part), f"a process {part}", 60)
        pid = self.pids(part)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def until(self, condition: Callable[[], object], what: str, limit_s: float) -> float:
        """Wait; fails with what was awaited when it takes over `limit_s`, or the run ended.

        A service that does not answer the test either is waited for.
        """
        begin = time.monotonic()
        while not _holds(condition):
            if time.monotonic() - begin > limit_s:
                stacks = self._stacks()
                pytest.fail(f"no {what} in {limit_s:g} s; sparse said:\n{self.said()}\n{stacks}")
            code = self.run.poll()
            assert code is None, f"the run ended with {code} before {what}:\n{self.said()}"
            time.sleep(_POLL_S)
        return time.monotonic() - begin

    def _stacks(self) -> str:
        """Where each component stands, as it tells on SIGUSR1."""
        pids = [pid for part in (SPOUT, BOLT) for pid in self.pids(part)]
        for pid in pids:
            os.kill(pid, signal.SIGUSR1)
        time.sleep(2)
        files = sorted(self.project.root.glob(".stormwatch/logs/*.stderr/*"))
        return "\n".join(f"{each.name}: {each.read_text()[-3000:]}" for each in files)

    def until_said(self, text: str, limit_s: float) -> None:
        """Wait for a sentence on the screen."""
        self.until(lambda: text in self.said(), f"word of {text!r}", limit_s)

    # The services

    @contextmanager
    def paused(self, service: str) -> Iterator[None]:
        """SIGSTOP, and SIGCONT at the end whatever happens."""
        pid = registry.read(self.home)[service].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def down(self, service: str, *, kill: bool = True) -> Iterator[None]:
        """kill -9 or stop now; started on the same ports and data at the end whatever happens."""
        entry = registry.read(self.home)[service]
        if kill:
            os.kill(entry.pid, signal.SIGKILL)
        process.stop([entry.identity], 30)
        try:
            yield
        finally:
            manage.ensure(self.home, {service: partial(_PLANS[service], **entry.ports)}, silent)

    @contextmanager
    def ports(self) -> Iterator[tuple[Admin, Store]]:
        """Connections of the test's own."""
        with ExitStack() as stack:
            admin = stack.enter_context(closing(kafka.admin(self.settings)))
            yield admin, stack.enter_context(closing(cassandra.connect(self.settings)))

    def prepare(self, *, topic: bool = True, **config: str) -> None:
        """Tables and topics; the input topic with this configuration, or not yet."""
        with closing(kafka.admin(self.settings)) as admin:
            for name, (partitions, given) in prepare.topics(self.settings).items():
                if topic or name != self.settings.topic_transactions:
                    admin.ensure_topic(name, partitions, {**given, **config})
        prepare.ensure_tables(self.settings, ROOT, silent)

    def publish(self, records: Iterable[KeyValue], timestamp: int = 0) -> list[tuple[int, int]]:
        """Write to the input topic; (partition, offset) of each. `timestamp` 0 is now."""
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap,
                "partitioner": "murmur2_random",
                "message.max.bytes": 12_000_000,
            }
        )
        places: list[tuple[int, int]] = []
        for place, (key, value) in enumerate(records):
            places.append((-1, -1))
            told = partial(_delivered, places, place)
            topic = self.settings.topic_transactions
            producer.produce(topic, value, key, timestamp=timestamp, on_delivery=told)
            producer.poll(0)
        assert producer.flush(60) == 0, "Kafka did not confirm what was published within 60 s"
        return places

    # What became of it

    def ledger(self) -> TopicLedger:
        """The proof as `./stormwatch ledger` gives it."""
        with self.watching() as ledger:
            return ledger()

    @contextmanager
    def watching(self) -> Iterator[Callable[[], TopicLedger]]:
        """A ledger to be looked at again and again."""
        topic = self.settings.topic_transactions
        with self.ports() as (admin, store):
            yield lambda: ledgers.topic(self.settings, admin, store, topic)

    def until_ended(self, count: int, limit_s: float) -> None:
        """Wait until at least `count` offsets have an end state."""
        with self.watching() as ledger:
            what = f"end of {count} offsets"
            self.until(lambda: sum(ledger().states.values()) >= count, what, limit_s)

    def drain(self, count: int, limit_s: float) -> float:
        """Wait until `count` offsets have an end state and are committed; seconds waited."""
        with self.watching() as ledger:

            def done() -> bool:
                found = ledger()
                committed = sum(part.committed for part in found.partitions)
                return committed >= count and not found.in_flight

            return self.until(done, f"end and commit of {count} offsets", limit_s)

    def expected(self, kills: Callable[[Record], bool] = lambda record: False) -> oracle.Tables:
        """What the oracle says."""
        with closing(kafka.source(self.settings, self.settings.topic_transactions)) as source:
            store = oracle.expected(self.settings, source, Fraud(), parse, kills)
        return oracle.of_memory(store)

    def check(self, kills: Callable[[Record], bool] = lambda record: False) -> oracle.Tables:
        """The laws: nothing lost, one state an offset, tables equal to the oracle's."""
        ledger = self.ledger()
        assert ledger.sound and not ledger.in_flight, ledger
        want, found = self.expected(kills), oracle.of_cassandra(self.settings)
        wrong = oracle.differences(want, found)
        assert not wrong, "\n".join(wrong)
        topics = self.settings.topic_alerts, self.settings.topic_dead_letters
        alerts, letters = (_told(self.settings, topic) for topic in topics)
        assert {(a["entity"], a["id"]) for a in alerts} == {key[4:6] for key in want.alerts}
        told = {(letter["partition"], letter["offset"], letter["code"]) for letter in letters}
        assert told == {(key[2], key[5], cells[1]) for key, cells in want.dead_letters.items()}
        return want


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except InfrastructureError:
        return False


def _delivered(
    places: list[tuple[int, int]], place: int, error: object, message: confluent_kafka.Message
) -> None:
    assert error is None, error
    places[place] = (message.partition(), message.offset())


def _told(settings: Settings, topic: str) -> list[dict[str, object]]:
    """Every value of a topic."""
    out: list[dict[str, object]] = []
    with closing(kafka.source(settings, topic)) as source:
        info = source.describe()
        assert info is not None, topic
        marks = {p: source.watermarks(p) for p in range(info.partitions)}
        left = sum(mark.high - mark.low for mark in marks.values())
        source.assign({p: mark.low for p, mark in marks.items()})
        deadline = time.monotonic() + 60
        while len(out) < left:
            assert time.monotonic() < deadline, f"{len(out)} of {left} records of {topic}"
            for records in source.poll(10_000, 0.2).values():
                out += [json.loads(record.value or b"{}") for record in records]
    return out


@contextmanager
def opened(services: Settings, home: Home, root: Path, name: str) -> Iterator[Scene]:
    """Nothing outlives it."""
    made = Scene(services, home, root, name)
    try:
        yield made
    finally:
        for child in made.project.running:
            child.terminate()
        for child in made.project.running:
            child.wait(timeout=30)
        for left in made.project.processes():
            with suppress(psutil.NoSuchProcess):
                left.kill()
