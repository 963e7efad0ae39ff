"""Topics, tables and a group of one's own on the session's Kafka and Cassandra."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice

from apps.data.kinds import KINDS, FeedOptions, Kind
from apps.local.run import prepare
from apps.local.services.home import silent
from apps.operate import ledger as ledgers
from apps.operate import ledger_verify
from apps.prove.verdict.judge import PASS
from apps.prove.verdict.session import verdict
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.settings import Settings
from tests.e2e.project import ROOT

SEED = 11


class Ground:
    """What a topology of `kind` stands on."""

    def __init__(self, services: Settings, kind: Kind, name: str) -> None:
        self.kind = kind
        self.settings = replace(
            services, kafka_group=name, kafka_partitions=2, cassandra_keyspace=name,
            topic_alerts=f"{name}.alerts", topic_dead_letters=f"{name}.dead-letters",
            topic_control=f"{name}.control",
            **{f"topic_{each.events}": f"{name}.{each.events}" for each in KINDS},
        )  # fmt: skip
        self.topic: str = getattr(self.settings, f"topic_{kind.events}")
        prepare.topics_and_tables(self.settings, ROOT, silent)

    def publish(self, count: int) -> None:
        """So many events of the kind's generator."""
        made = self.kind.feed(FeedOptions(SEED, "ground", None, customers=50, units=10))
        with closing(connect.sink(self.settings)) as sink:
            for one in islice(made, count):
                sink.send(self.topic, one.key, one.value)
            sink.flush(30)

    @contextmanager
    def looking(self) -> Iterator[Callable[[], tuple[int, int]]]:
        """A look, again and again: how many offsets have an end state, how many are committed."""
        with (
            closing(connect.admin(self.settings)) as admin,
            closing(cassandra.connect(self.settings)) as store,
        ):

            def look() -> tuple[int, int]:
                found = ledgers.topic(self.settings, admin, store, self.topic)
                assert not found.conflicting, found
                return sum(found.states.values()), sum(p.committed for p in found.partitions)

            yield look

    def passes(self) -> None:
        """Nothing is lost or doubled; and by the verdict, where one can be had, nothing changed."""
        if not self.kind.shared:
            found = verdict(self.settings, self.kind.topology, SEED)
            assert found.status == PASS, found
            return
        with (
            closing(connect.admin(self.settings)) as admin,
            closing(cassandra.connect(self.settings)) as store,
        ):
            ledger = ledgers.topic(self.settings, admin, store, self.topic)
            assert ledger.sound and not ledger.in_flight, ledger
            if not self.kind.split:
                name = self.kind.topology
                verified = ledger_verify.verify(self.settings, admin, store, name, self.topic)
                assert verified.sound, verified
