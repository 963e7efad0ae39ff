"""Kafka through kafka-python: pure Python, works everywhere, about thirty times dearer a record.

Partitions are assigned by hand: its consumer groups hang inside a spout.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.kafka import auth_errors as way_in
from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.pure.admin import (
    KafkaPythonAdmin,
    asking,
    code_of,
    connection,
    opened,
    words_of,
)
from stormwatch.adapters.kafka.pure.sink import KafkaPythonSink
from stormwatch.errors import StormwatchError
from stormwatch.ingest.commit_metadata import metadata_text
from stormwatch.ports import Committed, TopicInfo, Watermarks
from stormwatch.records import Record
from stormwatch.settings import Settings

UNWAITED_COMMIT_MS = 1000


class KafkaPythonSource(common.BufferedSource):
    """Source over kafka-python's consumer. Connects at once: raises BrokerUnavailable."""

    def __init__(
        self, settings: Settings, topic: str, shelf_bytes: int = common.SHELF_BYTES
    ) -> None:
        limit = settings.kafka_request_timeout_s
        control = Control(
            settings.topic_control,
            lambda: KafkaPythonAdmin(settings),
            lambda name: KafkaPythonSource(settings, name),
            lambda: KafkaPythonSink(settings),
            limit,
        )
        super().__init__(control, settings, topic, shelf_bytes)
        self._limit_ms = int(limit * 1000)
        self._commit_error: StormwatchError | None = None
        self._closed = self._resting = False
        self._consumer = opened(
            KafkaConsumer,
            connection(settings)
            | {
                "group_id": settings.kafka_group,
                "enable_auto_commit": False,
                "auto_offset_reset": "none",
                "isolation_level": "read_committed",
                "allow_auto_create_topics": False,
                "receive_message_max_bytes": common.MAX_ANSWER_BYTES,
                "fetch_max_wait_ms": common.FETCH_WAIT_MS,
                "fetch_max_bytes": common.MAX_RECORD_BYTES + common.FETCH_BYTES,
                "max_partition_fetch_bytes": common.FETCH_BYTES,
                "check_crcs": False,  # in pure Python as dear as all the rest
                "metrics_enabled": False,
            },
        )
        try:
            self._admin = KafkaPythonAdmin(settings)
        except StormwatchError:
            self._consumer.close(autocommit=False, timeout_ms=500)
            raise

    def describe(self) -> TopicInfo | None:
        """See Source."""
        return self._admin.describe(self._topic)

    def committed(self, partitions: Sequence[int]) -> dict[int, Committed]:
        """See Source."""
        out = {}
        with asking("return the committed offsets", self._bootstrap):
            for p in partitions:
                found = self._consumer.committed(
                    self._part(p), metadata=True, timeout_ms=self._limit_ms
                )
                if found is not None and found.offset >= 0:
                    out[p] = Committed(found.offset, metadata_text(found.metadata))
        return out

    def watermarks(self, partition: int) -> Watermarks:
        """See Source."""
        part = self._part(partition)
        with asking(f"return the watermarks of {self._topic}[{partition}]", self._bootstrap):
            low = self._consumer.beginning_offsets([part], timeout_ms=self._limit_ms)[part]
            high = self._consumer.end_offsets([part], timeout_ms=self._limit_ms)[part]
        return Watermarks(low, high)

    def commit(self, offsets: Mapping[int, Committed], *, wait: bool) -> None:
        """See Source. A commit not waited for still takes its 3 ms, a second if Kafka is away.

        The driver's own asynchronous commits get stuck when many are made before the group's
        coordinator is known, and tell errors of the first ones to nobody.
        """
        error, self._commit_error = self._commit_error, None
        if error is not None:
            raise error
        parts = {
            # With a NUL, as librdkafka writes it: without one it reads on behind the end.
            self._part(p): OffsetAndMetadata(c.offset, f"{c.metadata}\0" if c.metadata else "", -1)
            for p, c in offsets.items()
        }
        if not parts:
            return
        limit_ms = self._limit_ms if wait else min(self._limit_ms, UNWAITED_COMMIT_MS)
        try:
            self._commit(parts, limit_ms)
        except StormwatchError as failed:
            if wait:
                raise
            self._commit_error = failed

    def _commit(self, parts: Mapping[TopicPartition, OffsetAndMetadata], limit_ms: int) -> None:
        with asking("commit offsets", self._bootstrap):
            try:
                self._consumer.commit(parts, timeout_ms=limit_ms)
            except CommitFailedError as error:
                raise self._commit_failure(code_of(error), words_of(error)) from error

    def close(self) -> None:
        """See Source."""
        if not self._closed:
            self._closed = True
            self._consumer.close(autocommit=False, timeout_ms=500)
            self._admin.close()

    def _fetch(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        self._fetch_again()
        with asking(f"deliver {self._topic}", self._bootstrap):
            try:
                polled = self._consumer.poll(int(timeout * 1000), max_records)
            except OffsetOutOfRangeError as error:
                return self._lose(error.args[0])
            except LogTruncationError as error:
                return self._lose(error.divergent_offsets)
        refused = None if polled else way_in.too_large(self._topic, common.MAX_ANSWER_BYTES)
        if refused is not None:
            self._fetch_nothing()
            raise refused
        return {part.partition: [_record(r) for r in records] for part, records in polled.items()}

    def _fetch_nothing(self) -> None:
        """Until the next `poll`: by itself the driver asks a hundred times a second."""
        self._resting = True
        self._consumer.pause(*self._consumer.assignment())

    def _fetch_again(self) -> None:
        if self._resting:
            self._resting = False
            stopped = self._held | self._gone.keys()
            for part in self._consumer.assignment():
                if part.partition not in stopped:
                    self._consumer.resume(part)

    def _lose(self, parts: Iterable[TopicPartition]) -> dict[int, list[Record]]:
        for part in parts:
            self._lost(part.partition)
        return {}

    def _start(self, positions: Mapping[int, int]) -> None:
        way_in.forget_size()
        self._consumer.assign([self._part(p) for p in positions])
        for partition, offset in positions.items():
            self._consumer.seek(self._part(partition), offset)
            self._consumer.resume(self._part(partition))

    def _move(self, partition: int, offset: int) -> None:
        self._consumer.seek(self._part(partition), offset)

    def _hold(self, partition: int) -> None:
        self._consumer.pause(self._part(partition))

    def _release(self, partition: int) -> None:
        self._consumer.resume(self._part(partition))

    def _part(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)


def _record(r: Any) -> Record:
    """Messages of the oldest format have no time: -1, as everywhere else."""
    return Record(r.offset, -1 if r.timestamp is None else r.timestamp, r.key, r.value)
