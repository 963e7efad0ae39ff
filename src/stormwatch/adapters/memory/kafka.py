"""Kafka in memory: Source, Sink and Admin that share one MemoryBroker.

For tests and for running a topology without services. They keep the ports' contract, offset gaps,
retention, recreated topics and outages included. Safe to use from several threads.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.memory.broker import MemoryBroker, PartitionLog
from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Committed, Held, TopicInfo, Watermarks
from stormwatch.records import Record

__all__ = ["MemoryAdmin", "MemoryBroker", "MemorySink", "MemorySource"]


class MemorySource:
    """Source over a MemoryBroker."""

    def __init__(
        self,
        broker: MemoryBroker,
        topic: str,
        group: str = "stormwatch",
        control: str = "stormwatch-control",
    ) -> None:
        self._broker, self._topic, self._group = broker, topic, group
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._gone: dict[int, bool] = {}  # partition -> told
        self._commit_error: BrokerUnavailable | None = None
        connect = lambda name: MemorySource(broker, name, group, control)  # noqa: E731
        self._control = Control(
            control, lambda: MemoryAdmin(broker), connect, lambda: MemorySink(broker), 10.0
        )

    def describe(self) -> TopicInfo | None:
        return MemoryAdmin(self._broker).describe(self._topic)

    def committed(self, partitions: Sequence[int]) -> dict[int, Committed]:
        all_of = MemoryAdmin(self._broker).committed(self._group, self._topic)
        return {p: all_of[p] for p in partitions if p in all_of}

    def watermarks(self, partition: int) -> Watermarks:
        log = self._broker.log(self._topic, partition)
        return Watermarks(log.low, log.high)

    def peek(self, offsets: Mapping[int, int]) -> dict[int, Record]:
        self._positions.clear()
        out = {}
        for partition, offset in offsets.items():
            for record in self._broker.log(self._topic, partition).read(offset, 1):
                if record.offset == offset:
                    out[partition] = record
        return out

    def held(self, positions: Mapping[int, int]) -> dict[int, Held]:
        return {}

    def assign(self, positions: Mapping[int, int]) -> None:
        self._positions = dict(positions)
        self._paused.clear()
        self._gone.clear()

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._positions:
            raise ValueError(f"partition {partition} is not assigned")
        self._positions[partition] = offset
        self._gone.pop(partition, None)

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        deadline = time.monotonic() + timeout
        with self._broker.changed:
            while True:
                out = self._read(max_records) if self._broker.is_up else {}
                left = deadline - time.monotonic()
                if out or left <= 0 or not self._broker.changed.wait(left):
                    return out

    def _read(self, limit: int) -> dict[int, list[Record]]:
        topic, out = self._broker.topic(self._topic), {}
        for partition, position in list(self._positions.items()):
            if topic is None or partition >= len(topic.logs):
                continue
            log = topic.logs[partition]
            if not log.low <= position <= log.high:
                self._gone.setdefault(partition, False)
            elif partition not in self._paused and limit:
                records = log.read(position, limit)
                if records:
                    out[partition] = records
                    limit -= len(records)
                    self._positions[partition] = records[-1].offset + 1
                    # served last next time
                    self._positions[partition] = self._positions.pop(partition)
        return out

    def gone(self) -> list[int]:
        told = [p for p, already in self._gone.items() if not already]
        self._gone.update(dict.fromkeys(told, True))
        return told

    def pause(self, partitions: Iterable[int]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[int]) -> None:
        self._paused.difference_update(partitions)

    def commit(self, offsets: Mapping[int, Committed], *, wait: bool) -> None:
        error, self._commit_error = self._commit_error, None
        if error is not None:
            raise error
        try:
            self._broker.check()
        except BrokerUnavailable as unavailable:
            if wait:
                raise
            self._commit_error = unavailable
            return
        self._broker.commits.setdefault((self._group, self._topic), {}).update(offsets)

    def recall(self, key: str) -> bytes | None:
        return self._control.recall(key)

    def remember(self, key: str, value: bytes) -> None:
        self._control.remember(key, value)

    def close(self) -> None:
        self._positions.clear()


class MemorySink:
    """Sink over a MemoryBroker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._queue: list[tuple[str, bytes | None, bytes | None]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._queue.append((topic, key, value))
        if self._broker.is_up:
            self.flush(0)

    def flush(self, timeout: float) -> None:
        queue, self._queue = self._queue, []
        if queue:
            self._broker.check()
        for topic, key, value in queue:
            self._broker.append(topic, key, value)

    def close(self) -> None:
        self._queue.clear()


class MemoryAdmin:
    """Admin over a MemoryBroker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        return self._broker.create(name, partitions, config)

    def describe(self, name: str) -> TopicInfo | None:
        topic = self._broker.topic(name)
        return None if topic is None else TopicInfo(topic.topic_id, len(topic.logs))

    def watermarks(self, name: str) -> dict[int, Watermarks]:
        topic = self._broker.topic(name)
        logs = [] if topic is None else topic.logs
        return {p: Watermarks(log.low, log.high) for p, log in enumerate(logs)}

    def committed(self, group: str, name: str) -> dict[int, Committed]:
        self._broker.check()
        return dict(self._broker.commits.get((group, name), {}))

    def members(self, group: str) -> list[str]:
        self._broker.check()
        return []

    def delete_topic(self, name: str) -> None:
        self._broker.delete(name)

    def delete_records(self, name: str, before: Mapping[int, int]) -> None:
        for partition, offset in before.items():
            self._broker.delete_records(name, partition, offset)

    def add_partitions(self, name: str, total: int) -> None:
        topic = self._broker.topic(name)
        if topic is not None:
            topic.logs += [PartitionLog() for _ in range(total - len(topic.logs))]

    def close(self) -> None:
        pass
