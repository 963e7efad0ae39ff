"""Amazon Kinesis as a Source: a shard is a partition, and its records are counted.

A shard ends when its stream is resharded; the shards that go on with its keys are read when all of
it is committed, by whichever task, which the store tells. Where reading stands is kept in the
store, with Kinesis' own number of the last record.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.kafka.buffered_source import SHELF_BYTES, BufferedSource
from stormwatch.adapters.kinesis.client import (
    Absent,
    Client,
    Expired,
    Got,
    Pace,
    Shards,
    Throttled,
    Trimmed,
)
from stormwatch.adapters.kinesis.counting import Counting
from stormwatch.cursors import Cursor
from stormwatch.errors import BrokerUnavailable, StoreUnavailable
from stormwatch.ports import Committed, Held, Store, TopicInfo, Watermarks
from stormwatch.records import Record
from stormwatch.settings import Settings

logger = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_S = 0.5
"""How long it is believed what the stream is; AWS takes seconds to delete one."""
WAIT_S = 1.0
"""Between two looks for what is not there yet: a shard, the end of its parents."""
LEAST = 16


def width(numbers: Sequence[int]) -> int:
    """Partitions of a stream with these shards: a power of two, so that it seldom changes."""
    wide = LEAST
    while wide <= max(numbers, default=0):
        wide *= 2
    return wide


class _Reading:
    """A partition that is read: `wanted` is given next, `at` comes next from Kinesis."""

    def __init__(self, wanted: int) -> None:
        self.wanted = self.at = wanted
        self.iterator: str | None = None
        self.last = ""  # sequence number of the last record that came
        self.expected = ""  # of the first one that comes
        self.ended = self.held = False


class KinesisSource(BufferedSource):
    """See the module."""

    def __init__(
        self, settings: Settings, topic: str, store: Callable[[], Store], control: Control,
        shelf_bytes: int = SHELF_BYTES,
    ) -> None:  # fmt: skip
        super().__init__(control, settings, topic, shelf_bytes)
        self._client, self._store = Client(settings, topic), store
        self._pace = Pace(settings.kinesis_reads_per_s)
        self._stream: Shards | None = None
        self._looked_at = self._cursors_at = float("-inf")
        self._cursors: dict[int, Cursor] = {}
        self._countings: dict[int, Counting] = {}
        self._readings: dict[int, _Reading] = {}
        self._watermarks: dict[int, tuple[float, Watermarks]] = {}

    def describe(self) -> TopicInfo | None:
        """See Source."""
        if time.monotonic() >= self._looked_at + LOOK_S:
            self._look()
        if self._stream is None:
            return None
        return TopicInfo(self._stream.log, width(list(self._stream.by_number)))

    def committed(self, partitions: Sequence[int]) -> dict[int, Committed]:
        """See Source."""
        self._know()
        if self._stream is None:
            return {}
        found = self._asked(lambda store, log: store.cursors(log, self._settings.kafka_group))
        self._cursors = found
        return {p: Committed(c.offset, c.metadata) for p, c in found.items() if p in partitions}

    def watermarks(self, partition: int) -> Watermarks:
        """See Source. Believed for LOOK_S: a start asks twice, and AWS allows few questions."""
        self._know()
        counting = self._counting(partition)
        if counting is None:
            return self._of_no_shard(partition)
        at, found = self._watermarks.get(partition, (float("-inf"), Watermarks(0, 0)))
        if time.monotonic() >= at + LOOK_S:
            try:
                found = counting.watermarks()
            except StoreUnavailable as error:
                raise BrokerUnavailable(str(error)) from error
            self._watermarks[partition] = (time.monotonic(), found)
        return found

    def _of_no_shard(self, partition: int) -> Watermarks:
        """Of one that is not there yet, or not any more: AWS forgets shards without records."""
        cursor = self._cursors.get(partition)
        if cursor is None:
            return Watermarks(0, 0)
        if cursor.offset and cursor.ended is None:
            logger.error(
                "%s[%d]: Kinesis has forgotten this shard, which was read up to offset %d and not "
                "to its end: some of its records may have expired unread. Give the stream a longer "
                "retention.", self._topic, partition, cursor.offset,
            )  # fmt: skip
        return Watermarks(cursor.offset, cursor.offset)

    def held(self, positions: Mapping[int, int]) -> dict[int, Held]:
        """See Source. There are no transactions."""
        return {}

    def commit(self, offsets: Mapping[int, Committed], *, wait: bool) -> None:
        """See Source. Waits in any case."""
        if not offsets:
            return
        self._know()
        made: dict[int, Cursor] = {}
        for partition, (offset, metadata) in offsets.items():
            try:
                counting = self._counting(partition)
                sequence = counting.committed(offset) if counting else ""
            except StoreUnavailable as error:
                raise BrokerUnavailable(str(error)) from error
            before = self._cursors.get(partition)
            if not sequence and before is not None and before.offset == offset:
                sequence = before.sequence
            made[partition] = Cursor(offset, metadata, sequence, self._end_of(partition))
        self._asked(lambda store, log: store.write_cursors(log, self._settings.kafka_group, made))
        self._cursors |= made

    def close(self) -> None:
        """See Source."""
        self._client.close()

    def _look(self) -> None:
        before = self._stream.log if self._stream else ""
        self._stream = self._client.shards()
        self._looked_at = time.monotonic()
        if self._stream is None or self._stream.log != before:
            self._countings.clear()
            self._watermarks.clear()
            self._cursors = {}

    def _know(self) -> None:
        if self._stream is None:
            self._look()

    def _asked(self, call: Callable[[Store, str], T]) -> T:
        """Of the store. Raises BrokerUnavailable: to its caller the log did not answer."""
        log = self._stream.log if self._stream else ""
        try:
            return call(self._store(), log)
        except StoreUnavailable as error:
            raise BrokerUnavailable(str(error)) from error

    def _counting(self, partition: int) -> Counting | None:
        """None of a shard that is not there, or not any more."""
        stream = self._stream
        if stream is None or partition not in stream.by_number:
            return None
        if partition not in self._countings:
            if partition not in self._cursors:
                self.committed([partition])
            shard, cursor = stream.by_number[partition], self._cursors.get(partition)
            self._countings[partition] = self._asked(
                lambda store, log: Counting(self._client, self._store, log, shard, cursor)
            )
        return self._countings[partition]

    def _end_of(self, partition: int) -> int | None:
        reading = self._readings.get(partition)
        return reading.at if reading is not None and reading.ended else None

    def _start(self, positions: Mapping[int, int]) -> None:
        with suppress(BrokerUnavailable):  # then the readings wait for it
            self._look()
        for counting in self._countings.values():
            counting.seek()
        self._readings = {p: _Reading(offset) for p, offset in positions.items()}

    def _move(self, partition: int, offset: int) -> None:
        if partition in self._countings:
            self._countings[partition].seek()
        self._readings[partition] = _Reading(offset)

    def _hold(self, partition: int) -> None:
        self._readings[partition].held = True

    def _release(self, partition: int) -> None:
        self._readings[partition].held = False

    def _fetch(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        until = time.monotonic() + timeout
        while True:
            open_ = [
                p for p, r in self._readings.items()
                if not (r.held or r.ended) and p not in self._paused
            ]  # fmt: skip
            nearest = min(open_, key=self._pace.due, default=None)
            due = float("inf") if nearest is None else self._pace.due(nearest)
            if due > until:
                time.sleep(max(0.0, until - time.monotonic()))
                return {}
            time.sleep(max(0.0, due - time.monotonic()))
            assert nearest is not None
            if records := self._read(nearest, self._readings[nearest], max_records):
                return {nearest: records}
            if time.monotonic() >= until or nearest in self._gone:
                return {}

    def _read(self, partition: int, reading: _Reading, limit: int) -> list[Record]:
        """What comes next; none where it is not to be read now."""
        try:
            if reading.iterator is None and not self._placed(partition, reading):
                self._pace.rest(partition, WAIT_S)
                return []
            assert reading.iterator is not None
            got, onward, whole = self._client.records(reading.iterator, limit)
            self._pace.read(partition, sum(len(one.value) + len(one.key) for one in got))
            return self._numbered(partition, reading, got, onward, whole)
        except Expired:
            reading.iterator = None
        except Throttled:
            self._pace.throttled(partition)
        except Trimmed:
            self._lost(partition)
        except Absent:
            self._looked_at = float("-inf")
            reading.iterator = None
            self._pace.rest(partition, WAIT_S)
        except (BrokerUnavailable, StoreUnavailable) as error:
            logger.warning("%s", error)
            reading.iterator = None
            self._pace.rest(partition, WAIT_S)
        return []

    def _numbered(
        self, partition: int, reading: _Reading, got: list[Got], onward: str | None, whole: bool
    ) -> list[Record]:  # fmt: skip
        counting = self._countings[partition]
        if got and reading.expected and got[0].sequence != reading.expected:
            self._lost(partition)  # what was read last is trimmed: perhaps more than that
            return []
        first, records = reading.at, list[Record]()
        try:
            counting.read(first, got)
        except StoreUnavailable:
            reading.iterator = None
            raise
        for n, one in enumerate(got):
            if first + n >= reading.wanted:
                records.append(Record(first + n, one.arrived, one.key, one.value))
        if got:
            reading.at, reading.last, reading.expected = first + len(got), got[-1].sequence, ""
        reading.iterator = onward
        if onward is None:
            self._ended(partition, reading)
        elif whole and not got and reading.at < reading.wanted:
            self._lost(partition)  # a position beyond the end
        if records:
            reading.wanted = reading.at
        return records

    def _ended(self, partition: int, reading: _Reading) -> None:
        """Tell the store, also where all of it was committed before."""
        reading.ended = True
        before = self._cursors.get(partition)
        if before is not None and before.ended is None:
            ended = before._replace(ended=reading.at)
            self._cursors[partition] = ended
            self._asked(lambda store, log: store.write_cursors(
                log, self._settings.kafka_group, {partition: ended}
            ))  # fmt: skip

    def _placed(self, partition: int, reading: _Reading) -> bool:
        """Whether it has an iterator now: not before its shard is there, and its parents ended."""
        if self._stream is None or partition not in self._stream.by_number:
            if time.monotonic() >= self._looked_at + WAIT_S:
                self._look()
            if self._stream is None or partition not in self._stream.by_number:
                return False
        counting = self._counting(partition)
        assert counting is not None
        if not self._may_begin(counting):
            return False
        if reading.last:
            reading.iterator = self._client.iterator(counting.shard, after=reading.last)
            return True
        anchor = counting.before(reading.wanted)
        if anchor is None:
            reading.at = 0
            reading.iterator = self._client.iterator(counting.shard)
        else:
            reading.at, reading.expected = anchor.offset, anchor.sequence
            reading.iterator = self._client.iterator(counting.shard, at=anchor.sequence)
            counting.seek()
        return True

    def _may_begin(self, counting: Counting) -> bool:
        """Whether all that came before its records, of their keys, is committed."""
        stream = self._stream
        parents = [p for p in counting.shard.parents if stream and p in stream.by_number]
        if all(self._is_done(parent) for parent in parents):
            return True
        if time.monotonic() >= self._cursors_at + WAIT_S:
            self._cursors_at = time.monotonic()
            self.committed([])
        return all(self._is_done(parent) for parent in parents)

    def _is_done(self, partition: int) -> bool:
        cursor = self._cursors.get(partition)
        return cursor is not None and cursor.ended is not None and cursor.offset >= cursor.ended
