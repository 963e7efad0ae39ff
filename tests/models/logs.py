"""The fraud topology in the runner, over logs that are renamed, replaced, cut, or moved in."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from apps.operate import ledger
from apps.operate.ledger_verify import Verified, verify
from apps.operate.redecide import Lost, lost, redecide
from stormwatch.adapters import connect
from stormwatch.adapters.memory import world as memory
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Committed
from stormwatch.runner.events import Logged
from stormwatch.runner.faults import Faults
from stormwatch.settings import variable
from tests.runner.drive import Stage, stage

TOPIC = "payments"


class Bench:
    """One partition of payments that the fraud topology reads, over and over."""

    def __init__(
        self, made: Stage, monkeypatch: pytest.MonkeyPatch, topic: str, partitions: int
    ) -> None:
        self.made, self._environment, self._partitions = made, monkeypatch, partitions
        self.ids: dict[tuple[str, str], int] = {}
        self._at = 0
        self._seed = 0
        self.use(topic)

    @property
    def broker(self) -> MemoryBroker:
        return self.made.world.broker

    @property
    def admin(self) -> MemoryAdmin:
        return MemoryAdmin(self.broker)

    def use(self, topic: str) -> None:
        """The topic that the setting names from now on."""
        self.topic = topic
        self._environment.setenv(variable("topic.transactions"), topic)
        self.made.settings = replace(self.made.settings, topic_transactions=topic)
        self.admin.ensure_topic(topic, self._partitions, {})

    def join(self, group: str) -> None:
        """The setting names this group from now on."""
        self._environment.setenv(variable("kafka.group"), group)
        self.made.settings = replace(self.made.settings, kafka_group=group)

    def laid_out(self, stripes: int) -> None:
        """The setting says so many from now on."""
        self._environment.setenv(variable("layout.stripes"), str(stripes))
        self.made.settings = replace(self.made.settings, layout_stripes=stripes)

    def another_kafka(self) -> None:
        """A server built anew: topics of these names, no commits, no control topic."""
        world = memory.World(MemoryBroker(), self.made.world.store, simulated=True)
        self.made.world = world
        connect.use(memory.doubles(world))
        self.admin.ensure_topic(self.topic, 1, {})

    def after(self, payments: int) -> None:
        """The next payment is the one after so many."""
        self._at = payments

    def pay(self, count: int, customer: str = "c1", partition: int = 0) -> list[str]:
        """Payments, each a minute after the one before; their ids."""
        made = []
        for _ in range(count):
            self._at += 1
            name = f"p-{self._at}"
            minute, hour = self._at % 60, self._at // 60
            value = {
                "id": name, "customer": customer, "terminal": "pos-1",
                "time": f"2023-11-14T{hour:02}:{minute:02}:00Z", "amount": 1000 + self._at,
                "currency": "EUR",
            }  # fmt: skip
            self.broker.append(self.topic, customer.encode(), msgspec.json.encode(value), partition)
            made.append(name)
        return made

    def run(self) -> TopicLedger:
        """Until all is committed."""
        self._seed += 1
        return self.made.run("fraud", self.topic, lambda plan: Faults(), self._seed)

    def ledger(self) -> TopicLedger:
        return ledger.topic(self.made.settings, self.admin, self.made.world.store, self.topic)

    def verified(self) -> Verified:
        store = self.made.world.store
        return verify(self.made.settings, self.admin, store, "fraud", self.topic)

    def decided(self) -> set[str]:
        """Ids with a decision."""
        return {stored.row.id for stored in self.made.world.store.all_decisions("fraud")}

    def backup(self) -> dict[str, Any]:
        """What the store holds now."""
        return deepcopy(self.made.world.store.tables)

    def restore(self, tables: dict[str, Any]) -> None:
        """The store as it was."""
        self.made.world.store.tables = tables

    def redecide(self) -> list[Lost]:
        """As the command does it."""
        made, group = self.made, self.made.settings.kafka_group
        source = MemorySource(self.broker, self.topic, group)
        found = lost(made.settings, self.admin, made.world.store, self.topic)
        redecide(made.settings, self.admin, source, made.world.store, self.topic, found)
        return found

    def commit(self, offset: int) -> None:
        """By hand, as `kafka-consumer-groups.sh --reset-offsets` does."""
        self.broker.commits["stormwatch", self.topic] = {0: Committed(offset, "")}

    def said(self) -> str:
        """All that components logged, warnings and worse."""
        found = [e.text for e in self.made.events if isinstance(e, Logged) and e.level >= 3]
        return "\n".join(found)


@contextmanager
def bench(topic: str = TOPIC, partitions: int = 1) -> Iterator[Bench]:
    """A topic of so many partitions, nothing in it."""
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        MemoryAdmin(made.world.broker).delete_topic(topic)
        made.settings = replace(made.settings, topic_labels="")  # of payments alone
        yield Bench(made, monkeypatch, topic, partitions)


def whole(found: TopicLedger, offsets: int) -> bool:
    """Each offset has one end state."""
    return found.sound and not (found.in_flight or found.unread) and (
        sum(found.states.values()) == offsets
    )  # fmt: skip
