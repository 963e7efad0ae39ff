"""What a contender decided, and when: from the topic or the tables that it writes."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from benchmarks.contenders.core import Taken
from benchmarks.side_by_side.catalogue import KAFKA, Contender
from stormwatch.adapters import connect, log_reader
from stormwatch.archive import Archive
from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Watermarks
from stormwatch.settings import Settings

Place = tuple[int, int]
"""Partition and offset of a record."""
BY_BROKER = {"message.timestamp.type": "LogAppendTime"}
"""Of topics of decisions: a client may write what time it likes."""


class _Placed(msgspec.Struct):
    partition: int
    offset: int
    timestamp: int


_TAIL = 50
_placed = msgspec.json.Decoder(_Placed).decode


class Made(NamedTuple):
    """What is there of a run."""

    bodies: list[bytes]
    done: dict[Place, int]
    """The record that a decision is of -> when it was written or stored, ms."""


class Output:
    """Where a contender's decisions go."""

    def __init__(self, contender: Contender, settings: Settings, topic: str, out: str) -> None:
        self._contender, self._settings = contender, settings
        self._topic, self.out = topic, out
        self._admin = connect.admin(settings)
        self._before: Mapping[int, Watermarks] = {}
        if contender.into == KAFKA:
            self._admin.ensure_topic(out, settings.kafka_partitions, BY_BROKER)
            self._before = self._admin.watermarks(out)

    def close(self) -> None:
        """Leave."""
        self._admin.close()

    def count(self) -> int:
        """How many records are decided by now."""
        if self._contender.into == KAFKA:
            marks = self._admin.watermarks(self.out)
            return sum(mark.high - self._before[p].high for p, mark in marks.items())
        try:
            found = self._admin.committed(self._settings.kafka_group, self._topic)
        except BrokerUnavailable:  # a new group has no coordinator at first
            return 0
        return sum(commit.offset for commit in found.values())

    def has_after(self, moment: float, sent: int) -> bool:
        """Whether a decision is there on a record that came after a moment (ms); `sent`: what was
        sent until then and a little more."""
        if self._contender.into != KAFKA:
            return self.count() >= sent
        marks = self._admin.watermarks(self.out)
        tail = {p: Watermarks(0, max(m.low, m.high - _TAIL)) for p, m in marks.items()}
        found = take(self._settings, self.out, tail)
        return any(_placed(one.value).timestamp > moment for one in found)

    def made(self, times: Mapping[Place, int]) -> Made:
        """All of it; `times` are those of the records."""
        if self._contender.into == KAFKA:
            found = take(self._settings, self.out, self._before)
            done = {
                (at.partition, at.offset): one.timestamp
                for one in reversed(found)
                for at in (_placed(one.value),)
            }
            return Made([one.value for one in found], done)
        with closing(connect.store(self._settings)) as kept:
            store = cast(Archive, kept)  # every adapter is one
            bodies = [bytes(one.row.body) for one in store.all_decisions(self._contender.domain)]
            if self._contender.script == "lean":
                return Made(bodies, _told(self.out))
            return Made(bodies, self._by_ledger(store, times))

    def _by_ledger(self, store: Archive, times: Mapping[Place, int]) -> dict[Place, int]:
        """A row's age counts from the oldest of its records."""
        marks = self._admin.watermarks(self._topic)
        starts = store.ledger_starts(self._topic) or [(p, 1, 0) for p in marks]
        done: dict[Place, int] = {}
        for partition, epoch, _ in starts:
            for row in store.ledger(self._topic, partition, epoch, 0, marks[partition].high - 1):
                places = [
                    (partition, at) for at in range(row.fragment.first, row.fragment.last + 1)
                ]
                stored = min(times[place] for place in places if place in times) + row.age
                done.update((place, stored) for place in places if place not in done)
        return done


def _told(out: str) -> dict[Place, int]:
    """What the lean loop says of itself; what it decides again counts when it was decided first."""
    path = Path(out)
    found: dict[Place, int] = {}
    for file in sorted(path.parent.glob(f"{path.name}.*")):
        for line in file.read_text(encoding="utf-8").splitlines():
            partition, first, last, at = map(int, line.split())
            for offset in range(first, last + 1):
                found.setdefault((partition, offset), at)
    return found


def take(settings: Settings, topic: str, after: Mapping[int, Watermarks]) -> list[Taken]:
    """The records of a topic that came after these watermarks, partition after partition."""
    with closing(connect.source(settings, topic)) as source:
        ends = {partition: source.watermarks(partition).high for partition in after}
        return [
            Taken(topic, partition, one.offset, one.timestamp, one.value or b"")
            for partition, mark in after.items()
            for some in log_reader.records(source, partition, mark.high, ends[partition])
            for one in some
        ]


def times_of(taken: Iterable[Taken]) -> dict[Place, int]:
    """Kafka's times of records."""
    return {(one.partition, one.offset): one.timestamp for one in taken}
