"""One `sparse run -n fraud` on real services, with everything of its own, to do harm to."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields, replace
from pathlib import Path

import psutil

from apps import ledger as ledgers
from apps.chaos import judge, log
from apps.chaos.errors import ChaosFailed, expect
from apps.chaos.project import Project
from apps.chaos.stand import Stand
from apps.chaos.tables import Tables
from apps.chaos.traffic import KeyValue
from apps.run import prepare
from apps.services.home import silent
from stormwatch.adapters import cassandra, kafka
from stormwatch.errors import InfrastructureError
from stormwatch.ledger import TopicLedger
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]
JVM = "org.apache.storm.LocalCluster"
BOLT = "bolts.fraud.FraudBolt"
SPOUT = "spouts.transactions.TransactionSpout"
_POLL_S = 0.2
_ENDED = 143  # of SIGTERM, which a run in the background hears too
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""Of a topic that takes records of the future."""


class Scene:
    """A project directory, topics, tables and a group of its own; Kafka and Cassandra shared.

    `show` is called with each ledger that is looked at, `tell` with what is done, in words.
    """

    def __init__(self, services: Settings, stand: Stand, root: Path, name: str) -> None:
        self.stand = stand
        self.project = Project(root)
        self.show: Callable[[TopicLedger], None] = lambda ledger: None
        self.tell: Callable[[str], None] = lambda words: None
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
        (root / ".stormwatch" / "jars").symlink_to(stand.home.jars)

    # The run

    def start(self, topology: str = "fraud", /, **changes: object) -> None:
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
        code = self.run.wait(timeout=20)
        expect(code == _ENDED, f"the run ended with {code}, not {_ENDED}:\n{self.said()}")

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
        """Wait, s; raises ChaosFailed when it takes over `limit_s`, or the run ended.

        A service that does not answer us either is waited for.
        """
        begin = time.monotonic()
        while not _holds(condition):
            if time.monotonic() - begin > limit_s:
                stacks = self._stacks()
                raise ChaosFailed(
                    f"no {what} in {limit_s:g} s; sparse said:\n{self.said()}\n{stacks}"
                )
            code = self.run.poll()
            expect(code is None, f"the run ended with {code} before {what}:\n{self.said()}")
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

    # Kafka and Cassandra

    @contextmanager
    def ports(self) -> Iterator[tuple[Admin, Store]]:
        """Connections of our own."""
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
        return log.publish(self.settings, records, timestamp)

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

            def look() -> TopicLedger:
                found = ledgers.topic(self.settings, admin, store, topic)
                self.show(found)
                return found

            yield look

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
                return committed(found) >= count and not found.in_flight

            return self.until(done, f"end and commit of {count} offsets", limit_s)

    def check(self, kills: judge.Kills = judge.nothing) -> Tables:
        """The laws; see `judge`."""
        return judge.check(self.settings, self.ledger(), kills)


def committed(ledger: TopicLedger) -> int:
    """Offsets committed, of all partitions."""
    return sum(part.committed for part in ledger.partitions)


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except InfrastructureError:
        return False


@contextmanager
def opened(services: Settings, stand: Stand, root: Path, name: str) -> Iterator[Scene]:
    """Nothing outlives it."""
    made = Scene(services, stand, root, name)
    try:
        yield made
    finally:
        made.project.end()
