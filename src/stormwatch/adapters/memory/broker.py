"""Kafka's side of the doubles in `kafka_memory`: topics, records, commits, outages."""

import time
import uuid
from bisect import bisect_left
from collections.abc import Callable, Mapping
from threading import Condition

from stormwatch.errors import BrokerUnavailable
from stormwatch.partitioner import partition_of
from stormwatch.ports import Committed
from stormwatch.records import Record


class PartitionLog:
    """One partition's records and what is left of them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.low = self.high = 0

    def read(self, position: int, limit: int) -> list[Record]:
        start = bisect_left(self.records, position, key=lambda r: r.offset)
        return self.records[start : start + limit]


class Topic:
    """A topic as it was created."""

    def __init__(self, partitions: int, config: Mapping[str, str]) -> None:
        self.topic_id = uuid.uuid4().hex
        self.logs = [PartitionLog() for _ in range(partitions)]
        self.config = dict(config)
        self.unkeyed = 0  # records without a key go round


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MemoryBroker:
    """Topics, their records and the groups' commits. `clock` dates records, ms.

    While it is `down()` every call of its clients that asks it something raises BrokerUnavailable.
    Like Kafka as it comes, it creates a topic that is written to before it exists.
    """

    def __init__(self, clock: Callable[[], int] = _now_ms, default_partitions: int = 1) -> None:
        self.clock = clock
        self.changed = Condition()
        self.is_up = True
        self._default_partitions = default_partitions
        self._topics: dict[str, Topic] = {}
        self.commits: dict[tuple[str, str], dict[int, Committed]] = {}  # (group, topic)

    def down(self) -> None:
        """Stop answering."""
        self.is_up = False

    def up(self) -> None:
        """Answer again; nothing confirmed was lost."""
        with self.changed:
            self.is_up = True
            self.changed.notify_all()

    def check(self) -> None:
        """Raises BrokerUnavailable while it is down."""
        if not self.is_up:
            raise BrokerUnavailable("the broker in memory is down; call up() to go on.")

    def topic(self, name: str) -> Topic | None:
        self.check()
        return self._topics.get(name)

    def log(self, name: str, partition: int) -> PartitionLog:
        topic = self.topic(name)
        if topic is None or partition >= len(topic.logs):
            raise BrokerUnavailable(f"Kafka has no partition {partition} of topic {name} now.")
        return topic.logs[partition]

    def create(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """False if the topic was there."""
        self.check()
        if name in self._topics:
            return False
        self._topics[name] = Topic(partitions, config)
        return True

    def delete(self, name: str) -> None:
        """The topic, its records and every group's commits of it."""
        self.check()
        self._topics.pop(name, None)
        for key in [key for key in self.commits if key[1] == name]:
            del self.commits[key]

    def append(
        self, name: str, key: bytes | None, value: bytes | None, partition: int | None = None,
        timestamp: int | None = None,
    ) -> None:  # fmt: skip
        """Write one record, to the key's partition or the one given, at its producer's time."""
        with self.changed:
            self.create(name, self._default_partitions, {})
            topic = self._topics[name]
            if partition is None:
                if key is None:
                    topic.unkeyed += 1
                    partition = topic.unkeyed % len(topic.logs)
                else:
                    partition = partition_of(key, len(topic.logs))
            log = topic.logs[partition]
            at = self.clock() if timestamp is None else timestamp
            log.records.append(Record(log.high, at, key, value))
            log.high += 1
            self.changed.notify_all()

    def skip(self, name: str, partition: int, offsets: int = 1) -> None:
        """Leave offsets without a record, as transactions and compaction do."""
        self.log(name, partition).high += offsets

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """What retention does: forget the records below `before`."""
        log = self.log(name, partition)
        log.low = min(max(log.low, before), log.high)
        log.records = log.read(log.low, len(log.records))

    def truncate(self, name: str, partition: int, end: int) -> None:
        """What an unclean change of leaders, or a restored copy of a disk, does: lose the end."""
        log = self.log(name, partition)
        log.records = [record for record in log.records if record.offset < end]
        log.high = min(log.high, end)
        log.low = min(log.low, log.high)
