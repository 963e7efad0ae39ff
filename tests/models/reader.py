"""A topic, its group and the readers of it, on a clock of their own."""

from random import Random
from typing import Any

from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES, NOTICES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import IDLE_POLL_S, PACE_S, Reader
from stormwatch.ingest.start import Subscription

LIMITS = BufferLimits(records=10, bytes=10_000, record_bytes=100)

RULES = Rules(LIMITS, quarantine_after=2, resend_after_s=180.0, component="spout", timeout_s=60.0)


class Counting(MemorySource):
    """Notes commits; never waits, as time is the test's."""

    commits: list[bool]
    waits: list[float]

    def poll(self, max_records: int, timeout: float) -> Any:
        assert 0 <= timeout <= IDLE_POLL_S
        self.waits.append(timeout)
        return super().poll(max_records, 0)

    def commit(self, offsets: Any, *, wait: bool) -> None:
        self.commits.append(wait)
        super().commit(offsets, wait=wait)


class World:
    """A broker, a clock, and one reader that can die and come again."""

    def __init__(self, partitions: int = 2, **options: Any) -> None:
        self.broker = MemoryBroker(clock=lambda: 1_700_000_000_000)
        self.admin = MemoryAdmin(self.broker)
        self.store = MemoryStore()
        if partitions:
            self.admin.ensure_topic("t", partitions, {})
        self.now = 100.0
        self.commits: list[bool] = []
        self.waits: list[float] = []
        self.expired = options.get("expired", "resume")
        self.rules: Rules = options.get("rules", RULES)
        self.reader = self.start()

    def start(self, task: int = 0, tasks: int = 1) -> Reader:
        self.reader = Turning(self, task, tasks)
        return self.reader

    def connect(self) -> Counting:
        self.broker.check()
        source = Counting(self.broker, "t", "g")
        source.commits, source.waits = self.commits, self.waits
        return source

    def write(self, partition: int, count: int, value: bytes = b"v") -> None:
        for _ in range(count):
            self.broker.append("t", b"k", value, partition)

    def committed(self) -> dict[int, int]:
        return {p: c.offset for p, c in self.admin.committed("g", "t").items()}

    def sent(self) -> list[InFlight]:
        """What the next round sends, not acked."""
        while not (items := self.reader.step()):
            self.now += PACE_S / 10
        return items

    def drain(self, turns: int = 50, seconds: float = 0.1) -> list[InFlight]:
        """Ack everything at once; until `turns` in a row brought nothing."""
        out, quiet = [], 0
        while quiet < turns:
            items = self.reader.step()
            quiet = 0 if items else quiet + 1
            self.now += seconds
            for item in items:
                out.append(item)
                self.reader.ack(item.tup_id)
        return out

    def probe(self, turns: int = 20) -> InFlight | None:
        """The next record that goes out alone after an unclean stop; all else is acked."""
        for _ in range(turns):
            for item in self.reader.step():
                if item.probe:
                    return item
                self.reader.ack(item.tup_id)
        return None


class Turning(Reader):
    """Each turn takes as long as a round at least."""

    def __init__(self, world: World, task: int, tasks: int) -> None:
        self._world = world
        super().__init__(
            world.connect, lambda: world.store, Subscription("t", "g", world.expired, "stream"),
            world.rules, task, tasks,
            lambda: world.now, Random(1),
        )  # fmt: skip

    def step(self) -> list[InFlight]:
        self._world.now += PACE_S
        return super().step()


def spans(items: list[InFlight], stream: str = BATCHES) -> list[tuple[int, int, int]]:
    """Partition, first and last of what holds records, and of each start notice."""
    return [
        (i.fragment.partition, i.fragment.first, i.fragment.last)
        for i in items if i.stream == stream and (stream == NOTICES or not i.empty)
    ]  # fmt: skip
