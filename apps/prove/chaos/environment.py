"""One `sparse run -n fraud` on real services, with everything of its own, to do harm to."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from apps.local.run import prepare
from apps.local.services.home import silent
from apps.operate import ledger as ledgers
from apps.prove.chaos import judge, traffic
from apps.prove.chaos.run import ROOT, Run
from apps.prove.chaos.services import OwnServices
from apps.prove.chaos.traffic import KeyValue
from apps.prove.verdict.tables import Tables
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.domains.fraud import Fraud
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings


class Environment(Run):
    """A project directory, topics, tables and a group of its own; Kafka and Cassandra shared.

    `show` is called with each ledger that is looked at, `tell` with what is done, in words.
    """

    def __init__(
        self, services: Settings, own_services: OwnServices, root: Path, name: str
    ) -> None:
        super().__init__(root, own_services.home.jars, services)
        self.own_services = own_services
        self.show: Callable[[TopicLedger], None] = lambda ledger: None
        self.tell: Callable[[str], None] = lambda words: None
        self.settings = replace(
            services,
            kafka_group=name,
            kafka_partitions=2,
            topic_transactions=f"{name}.transactions",
            topic_readings=f"{name}.readings",
            topic_labels=f"{name}.labels",
            topic_alerts=f"{name}.alerts",
            topic_dead_letters=f"{name}.dead-letters",
            topic_control=f"{name}.control",
            cassandra_keyspace=name,
            run_dir=".stormwatch",
        )

    # Kafka and Cassandra

    @contextmanager
    def ports(self) -> Iterator[tuple[Admin, Store]]:
        """Connections of our own."""
        with ExitStack() as stack:
            admin = stack.enter_context(closing(connect.admin(self.settings)))
            yield admin, stack.enter_context(closing(cassandra.connect(self.settings)))

    def prepare(self, *, topic: bool = True, **config: str) -> None:
        """Tables and topics; the input topic with this configuration, or not yet."""
        with closing(connect.admin(self.settings)) as admin:
            for name, (partitions, given) in prepare.topics(self.settings).items():
                if topic or name != self.settings.topic_transactions:
                    admin.ensure_topic(name, partitions, {**given, **config})
        prepare.ensure_tables(self.settings, ROOT, silent)

    def publish(self, records: Iterable[KeyValue], timestamp: int = 0) -> list[tuple[int, int]]:
        """Write to the input topic; (partition, offset) of each. `timestamp` 0 is now."""
        return traffic.publish(self.settings, records, timestamp)

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

    def check(self, kills: judge.Kills = judge.nothing, domain: Fraud | None = None) -> Tables:
        """The laws; see `judge`."""
        return judge.check(self.settings, self.ledger(), kills, domain)


def committed(ledger: TopicLedger) -> int:
    """Offsets committed, of all partitions."""
    return sum(part.committed for part in ledger.partitions)


@contextmanager
def opened(
    services: Settings, own_services: OwnServices, root: Path, name: str
) -> Iterator[Environment]:
    """Nothing outlives it."""
    made = Environment(services, own_services, root, name)
    try:
        yield made
    finally:
        made.project.end()
