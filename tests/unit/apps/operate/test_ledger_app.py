"""The ledger of a topic, from a Kafka and a store in memory."""

import pytest

from apps.operate import ledger
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.epochs import incarnation
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.ledger.reconcile import START
from stormwatch.ports import Committed
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings
from stormwatch.stretches import Stretch

SETTINGS = Settings()
TOPIC = SETTINGS.topic_transactions


class World:
    """A topic of two partitions and what was stored of it."""

    def __init__(self) -> None:
        self.broker, self.store = MemoryBroker(), MemoryStore()
        self.admin = MemoryAdmin(self.broker)
        self.admin.ensure_topic(TOPIC, 2, {})

    def produce(self, partition: int, count: int) -> None:
        for _ in range(count):
            self.broker.append(TOPIC, None, b"{}", partition=partition)

    def store_row(
        self, partition: int, first: int, last: int, state: str = "scored", epoch: int = 0
    ) -> None:
        bits = {state: bitmap_of(range(first, last + 1), first)}
        row = LedgerRow(Fragment(TOPIC, partition, epoch, first, last, 1, 0), "score", bits, 0)
        self.store.write_aside("fraud", [], row, 1)

    def start(self, partition: int, first: int, epoch: int = 0) -> None:
        of = Fragment(TOPIC, partition, epoch, first, first - 1, 1, 0)
        self.store.write_aside("fraud", [], LedgerRow(of, START, {}, 0), 1)
        self.read_from(partition, first, incarnation(epoch))

    def read_from(self, partition: int, first: int, number: int = 0, **more: int) -> None:
        """A stretch."""
        log = self.admin.describe(TOPIC).topic_id
        kept = {"skipped": first} | more
        known = {each.incarnation for each in self.store.stretches(log)}
        if more or number not in known or partition:
            stretch = Stretch(partition, number, 0, first, **kept)
            self.store.write_stretches(log, [stretch])

    def commit(self, **offsets: int) -> None:
        group = SETTINGS.kafka_group
        commits = {int(p[1:]): Committed(o, "") for p, o in offsets.items()}
        MemorySource(self.broker, TOPIC, group).commit(commits, wait=True)

    def read(self, ranges: ledger.Ranges | None = None) -> ledger.TopicLedger:
        return ledger.topic(SETTINGS, self.admin, self.store, TOPIC, ranges)


@pytest.fixture
def world() -> World:
    return World()


def test_everything_decided_is_sound(world: World) -> None:
    world.produce(0, 30)
    world.produce(1, 20)
    for partition, last in ((0, 29), (1, 19)):
        world.start(partition, 0)
        world.store_row(partition, 0, last)
    world.commit(p0=30, p1=20)
    found = world.read()
    assert found.sound
    assert (found.states, found.in_flight) == ({"scored": 50}, 0)


def test_a_loss_below_the_commit_is_unaccounted_and_above_it_in_flight(world: World) -> None:
    world.produce(0, 30)
    world.start(0, 0)
    world.store_row(0, 0, 9)
    world.store_row(0, 12, 19)
    world.commit(p0=20)
    found = world.read()
    assert (found.unaccounted, found.in_flight, found.sound) == (2, 10, False)
    assert [(r.first, r.last) for r in found.partitions[0].unaccounted_ranges] == [(10, 11)]


def test_what_lies_before_the_start_does_not_count(world: World) -> None:
    world.produce(0, 30)
    world.start(0, 25)
    world.store_row(0, 25, 29)
    world.commit(p0=30)
    found = world.read()
    assert (found.sound, found.states, found.in_flight) == (True, {"scored": 5}, 0)


def test_a_topic_never_read_is_in_flight(world: World) -> None:
    world.produce(0, 3)
    found = world.read()
    assert (found.in_flight, found.unaccounted) == (3, 0)


def test_a_run_asks_for_its_own_offsets(world: World) -> None:
    world.produce(0, 30)
    world.produce(1, 30)
    world.start(0, 0)
    world.store_row(0, 0, 29)
    world.store_row(0, 15, 15, "duplicate")
    world.commit(p0=30)
    found = world.read({0: (10, 20)})
    assert found.states == {"scored": 10, "duplicate": 1}
    assert (found.conflicting, len(found.partitions)) == (1, 1)
    assert world.read({0: (30, 30)}).partitions == ()


def test_epochs_of_a_topic_that_got_more_partitions_join(world: World) -> None:
    world.produce(0, 30)
    world.start(0, 0, epoch=0)
    world.start(0, 10, epoch=1)
    world.store_row(0, 0, 9, epoch=0)
    world.store_row(0, 10, 29, "rejected", epoch=1)
    world.commit(p0=30)
    found = world.read()
    assert (found.sound, found.states) == (True, {"scored": 10, "rejected": 20})
    world.store_row(0, 10, 12, epoch=0)  # a zombie of the older epoch: also two words
    assert world.read().conflicting == 3


def test_a_batch_decided_under_the_older_epoch_alone_is_accounted_for(world: World) -> None:
    world.produce(0, 30)
    world.start(0, 0, epoch=0)
    world.store_row(0, 0, 9, epoch=0)
    world.store_row(0, 10, 14, "late", epoch=0)  # then all died, and partitions were added
    world.start(0, 10, epoch=1)  # the replay of 10 to 14 found them decided and said nothing
    world.start(0, 10, epoch=2)
    world.store_row(0, 15, 29, epoch=2)
    world.commit(p0=30)
    found = world.read()
    assert (found.sound, found.states) == (True, {"scored": 25, "late": 5})


def test_a_topic_made_again_begins_anew(world: World) -> None:
    world.produce(0, 5)
    world.start(0, 0, epoch=0)
    world.store_row(0, 0, 4, "rejected", epoch=0)
    world.commit(p0=5)
    world.admin.delete_topic(TOPIC)
    world.admin.ensure_topic(TOPIC, 2, {})
    world.produce(0, 5)
    world.commit(p0=5)
    found = world.read()
    assert (found.states, found.in_flight, found.known) == ({}, 5, False)
    world.start(0, 0, epoch=32)
    world.store_row(0, 0, 4, epoch=32)
    assert world.read().states == {"scored": 5}


def test_of_a_log_that_was_cut_only_what_is_still_there_counts(world: World) -> None:
    world.produce(0, 8)
    world.start(0, 0, epoch=32)
    world.store_row(0, 0, 9, "rejected", epoch=32)  # of ten, then cut to six
    world.read_from(0, 0, 1, believed_to=6, generation=2)
    world.read_from(0, 6, 2)
    world.store_row(0, 6, 6, epoch=64)
    world.commit(p0=7)
    found = world.read()
    assert (found.states, found.in_flight) == ({"scored": 1, "rejected": 6}, 1)
    assert found.sound


def test_what_was_passed_by_hand_is_unread_until_it_is_read(world: World) -> None:
    world.produce(0, 30)
    world.start(0, 0, epoch=32)
    world.store_row(0, 0, 9, epoch=32)
    world.read_from(0, 20, 2, skipped=8)  # the store had heard of 8
    world.store_row(0, 20, 29, epoch=64)
    world.commit(p0=30)
    found = world.read()
    assert (found.unread, found.unaccounted, found.sound) == (10, 0, True)
    assert [(r.first, r.last) for r in found.partitions[0].unread_ranges] == [(10, 19)]
    world.read_from(0, 5, 3, position=15)
    world.store_row(0, 10, 13, epoch=96)
    found = world.read()
    assert (found.unread, found.unaccounted, found.sound) == (5, 1, False)


def test_topics_by_name_or_those_that_exist(world: World) -> None:
    world.produce(0, 1)
    found = ledger.topics(SETTINGS, world.admin, world.store)
    assert [one.topic for one in found] == [TOPIC]
    assert found[0].to_dict()["in_flight"] == 1
    found = ledger.topics(SETTINGS, world.admin, world.store, [TOPIC])
    assert len(found) == 1
