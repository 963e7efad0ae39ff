"""Every order of what can happen to a batch, to a depth: the tables end as the oracle's.

One partition, three records, batches of two. The real spout partition and the real steps; the
store is the model of Cassandra, which may lose a write's confirmation or apply half of it. Orders
that lead to the same world are followed once.
"""

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import InfrastructureError
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES
from stormwatch.ingest.partition import Partition, Rules
from stormwatch.ports import Committed
from stormwatch.records import Fragment, Outcomes, Record
from tests.models.starts import begin
from tests.models.steps import Crash, Fault, FaultyPorts, Process, assert_same, play
from tests.models.toy import Ping

LOG = [Ping("1", "ann", 1000, 200), Ping("2", "ann", 2000, 1), Ping("1", "ann", 3000, 50)]
RULES = Rules(BufferLimits(2, 1000, 100), 99, 180.0, "spout", 60.0)
EPOCH = 33


class World:
    """The spout, the bolt, what sleeps, and the tables."""

    def __init__(self) -> None:
        self.connections = FaultyPorts(MemoryStore())
        self.committed: Committed | None = None
        self.asleep: list[tuple[Process, Fragment, Outcomes]] = []
        self.now = 0.0
        self.start()

    def start(self) -> None:
        self.process = Process(self.connections, spread=False)
        start = begin(self.committed, EPOCH, 0)
        self.partition = Partition("pings", 0, start, RULES, Random(1))
        self.partition.buffer.arrived(Record(i, 1000 + i, b"ann", b"v") for i in range(len(LOG)))

    def send(self) -> bool:
        """Until a batch with records is in flight; False when all is acked."""
        while item := self.partition.prepare():
            self.now = max(self.now, item.due_at)
            if item.sent_at is None:
                self.partition.guard()
                self.commit()
                self.partition.sent(self.now)
            if item.stream == BATCHES and not item.empty:
                return True
            assert self.partition.ack(item.tup_id)
        return False

    def commit(self) -> None:
        self.committed = self.partition.commit
        self.partition.release(self.committed)

    def batch(self) -> tuple[Fragment, list[tuple[int, Ping]]]:
        item = self.partition.item
        return item.fragment, [(each.offset, LOG[each.offset]) for each in item.payload]

    # What can happen

    def done(self) -> None:
        """The batch is worked on and acked."""
        self.connections.fault = None
        self.process.take(*self.batch())
        assert self.partition.ack(self.partition.item.tup_id)

    def half(self) -> None:
        """Cassandra applies half of the states' write and does not confirm it."""
        self.connections.fault = Fault("states", 1, crash=False)
        with suppress(InfrastructureError):
            self.process.take(*self.batch())
        self.partition.fail(self.partition.item.tup_id, self.now)

    def late(self) -> None:
        """The batch is decided and sleeps before its writes; Storm's time-out passes."""
        fragment, batch = self.batch()
        twin = Process(self.connections, spread=False)
        self.connections.fault = None
        self.asleep.append((twin, fragment, twin.decide(fragment, batch)))
        self.now += 2 * RULES.timeout_s
        self.partition.fail(self.partition.item.tup_id, self.now)

    def crash(self) -> None:
        """Everything dies after the decisions are written, before the states are."""
        self.connections.fault = Fault("states", 0, crash=True)
        with suppress(Crash):
            self.process.take(*self.batch())
        self.start()

    def lost(self) -> None:
        """Everything dies after the commit point, before the ack: the spout knows nothing."""
        self.connections.fault = None
        self.process.take(*self.batch())
        self.start()

    def zombie(self) -> None:
        """What sleeps longest wakes and writes; nobody listens to its ack."""
        if self.asleep:
            twin, fragment, outcomes = self.asleep.pop(0)
            self.connections.fault = None
            twin.store.work_all([(fragment, outcomes)])

    def key(self) -> str:
        """Worlds with the same key have the same future."""
        cached = {name: tuple(e) for name, e in self.process.score._cache._entries.items()}
        item, part = self.partition.item, self.partition
        return repr(
            (
                sorted(self.connections.store.tables.items()), cached, self.committed, part._mark,
                part.position, part._caution, part._step, part._found, part._piece,
                len(part.buffer),
                item and (item.fragment, item.stream, item.records), part._batch_limit.__dict__,
                [(f, o.stamp, len(o.decisions), len(o.states)) for _, f, o in self.asleep],
                sorted(set(self.connections.published)),
            )
        )  # fmt: skip


HAPPENINGS = ("done", "half", "late", "crash", "lost", "zombie")
Order = tuple[str, ...]


def led_by(order: Order) -> World:
    world = World()
    for each in order:
        if not world.send() and each != "zombie":
            break
        getattr(world, each)()
    return world


def orders(depth: int) -> Iterator[tuple[Order, World]]:
    """Orders up to `depth`, one for each world that they can lead to."""
    known, level = set(), [()]
    for _ in range(depth):
        following = []
        for order in level:
            for each in HAPPENINGS:
                world = led_by((*order, each))
                key = world.key()
                if key not in known:
                    known.add(key)
                    following.append((*order, each))
                    yield (*order, each), world
        level = following


def check(depth: int, at_least: int) -> None:
    oracle, seen = play(LOG, [len(LOG)], (), False), 0
    for order, world in orders(depth):
        while world.send():
            world.done()
        while world.asleep:
            world.zombie()
        world.commit()
        try:
            assert_same(world.connections, oracle, LOG)
            assert world.committed.offset == len(LOG)
        except AssertionError as error:
            raise AssertionError(f"after {' '.join(order)}: {error}") from error
        seen += 1
    assert seen >= at_least


def test_every_order_to_depth_five() -> None:
    check(5, 8000)


@pytest.mark.slow  # every further step costs ten times as much: the sixth alone 100 s
@pytest.mark.timeout(1200)
def test_every_order_to_depth_eight() -> None:
    check(8, 50_000)
