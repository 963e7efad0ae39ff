"""A position belongs to a log: topics renamed, replaced, cut and written again, groups moved."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import pytest

from apps.operate import ledger
from apps.operate.ledger_verify import Verified, verify
from stormwatch.adapters import connect
from stormwatch.adapters.memory import world as memory
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Committed
from stormwatch.runner.events import Logged
from stormwatch.runner.faults import Faults
from stormwatch.settings import variable
from tests.runner.drive import Stage, stage

TOPIC = "payments"
MINUTE = 60_000


class Bench:
    """One partition of payments that the fraud topology reads, over and over."""

    def __init__(self, made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self._environment = made, monkeypatch
        self.ids: dict[tuple[str, str], int] = {}
        self._at = 0
        self._seed = 0
        self.use(TOPIC)

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
        self.admin.ensure_topic(topic, 1, {})

    def join(self, group: str) -> None:
        """The setting names this group from now on."""
        self._environment.setenv(variable("kafka.group"), group)
        self.made.settings = replace(self.made.settings, kafka_group=group)

    def another_kafka(self) -> None:
        """A server built anew: topics of these names, no commits, no control topic."""
        world = memory.World(MemoryBroker(), self.made.world.store, simulated=True)
        self.made.world = world
        connect.use(memory.doubles(world))
        self.admin.ensure_topic(self.topic, 1, {})

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

    def commit(self, offset: int) -> None:
        """By hand, as `kafka-consumer-groups.sh --reset-offsets` does."""
        self.broker.commits["stormwatch", self.topic] = {0: Committed(offset, "")}

    def said(self) -> str:
        """All that components logged, warnings and worse."""
        found = [e.text for e in self.made.events if isinstance(e, Logged) and e.level >= 3]
        return "\n".join(found)


@contextmanager
def bench() -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        yield Bench(made, monkeypatch)


def whole(found: TopicLedger, offsets: int) -> bool:
    """Each offset has one end state."""
    return found.sound and not (found.in_flight or found.unread) and (
        sum(found.states.values()) == offsets
    )  # fmt: skip


@pytest.mark.parametrize("group", ["stormwatch", "fresh"])
def test_a_topic_of_another_name_is_decided_whole(group: str) -> None:  # case 1
    with bench() as b:
        b.pay(10)
        assert whole(b.run(), 10)
        b.use("payments-v2")
        b.join(group)
        new = b.pay(8) + b.pay(4, "c2")
        assert b.run().states == {"scored": 12}
        assert set(new) <= b.decided()
        assert whole(b.ledger(), 12) and b.verified().sound and b.verified().offsets == 12
        b.use(TOPIC)
        b.join("stormwatch")
        assert whole(b.ledger(), 10) and b.verified().offsets == 10


def test_a_topic_of_the_same_name_in_another_kafka_is_decided_whole() -> None:  # case 2
    with bench() as b:
        b.pay(10)
        b.run()
        b.another_kafka()
        new = b.pay(8) + b.pay(4, "c2")
        before = b.ledger()
        assert (before.states, before.in_flight, before.known) == ({}, 12, False)
        assert b.run().states == {"scored": 12}
        assert set(new) <= b.decided()
        assert whole(b.ledger(), 12) and b.verified().sound


def test_a_log_that_was_cut_and_written_again() -> None:  # cases 3 and 4
    for written_before in (False, True):
        with bench() as b:
            for _ in range(10):  # one after another, so that each is taken
                b.pay(1)
                b.run()
            b.broker.truncate(TOPIC, 0, 6)
            if not written_before:
                b.run()
                assert b.ledger().states == {"scored": 6}
            new = b.pay(8)
            b.run()
            assert "this is not the log that was read" in b.said()
            assert set(new) <= b.decided()
            found = b.ledger()
            assert sum(found.states.values()) == 14 and found.sound and not found.in_flight
            assert found.states["scored"] >= 8 and set(found.states) <= {"scored", "duplicate"}
            assert b.verified().sound


def test_a_group_moved_on_by_hand_and_back() -> None:  # case 5
    with bench() as b:
        b.pay(10)
        b.run()
        skipped = b.pay(6)
        b.commit(16)
        b.pay(4)
        b.run()
        assert "moved on to offset 16 by hand; reading had come to 10" in b.said()
        found = b.ledger()
        assert (found.unread, found.unaccounted, found.states) == (6, 0, {"scored": 14})
        assert [(r.first, r.last) for r in found.partitions[0].unread_ranges] == [(10, 15)]
        assert not b.decided() & set(skipped)
        b.commit(10)
        b.run()
        assert set(skipped) <= b.decided()
        assert whole(b.ledger(), 20) and b.verified().sound
        decisions = dict(b.made.world.store.tables["decisions"])
        for offset in (0, 13, 18, 20):
            b.commit(offset)
            b.run()
            assert whole(b.ledger(), 20) and b.verified().sound
        assert b.made.world.store.tables["decisions"] == decisions


def test_a_monitor_does_not_go_on_with_the_figures_of_the_old_topic() -> None:  # case 7
    with bench() as b:
        b.pay(24)
        b.run()
        commits = dict(b.broker.commits["stormwatch", TOPIC])
        b.admin.delete_topic(TOPIC)
        b.admin.ensure_topic(TOPIC, 4, {})
        for n in range(24):
            b.pay(1, f"c{n}", n % 4)
        for left_over in ({}, commits):
            b.broker.commits["stormwatch", TOPIC] = left_over
            found = b.ledger()
            assert (found.states, found.in_flight, found.unaccounted) == ({}, 24, 0)
            assert not found.known
            assert b.verified().offsets == 0
        b.run()
        assert whole(b.ledger(), 24)
        assert "is of another log" in b.said()
