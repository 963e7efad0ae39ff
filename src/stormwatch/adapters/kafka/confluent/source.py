"""Kafka through confluent-kafka (librdkafka): the fast client.

Nothing connects when an object is made; each call that asks the broker has a time limit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.kafka import auth_errors as way_in
from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.confluent.admin import ConfluentAdmin
from stormwatch.adapters.kafka.confluent.connection import (
    connection,
    metadata_of,
    opened,
    translate,
)
from stormwatch.adapters.kafka.confluent.connection import logger as sparing
from stormwatch.adapters.kafka.confluent.sink import ConfluentSink
from stormwatch.errors import BrokerRefused, BrokerUnavailable
from stormwatch.ports import Committed, TopicInfo, Watermarks
from stormwatch.records import Record
from stormwatch.settings import Settings

_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}
_UNSET = -1001  # librdkafka's RD_KAFKA_OFFSET_INVALID: never committed


class ConfluentSource(common.BufferedSource):
    """Source over librdkafka's consumer, without group membership."""

    def __init__(
        self, settings: Settings, topic: str, shelf_bytes: int = common.SHELF_BYTES
    ) -> None:
        limit = settings.kafka_request_timeout_s
        control = Control(
            settings.topic_control,
            lambda: ConfluentAdmin(settings),
            lambda name: ConfluentSource(settings, name),
            lambda: ConfluentSink(settings),
            limit,
        )
        super().__init__(control, settings, topic, shelf_bytes)
        self._limit = limit
        self._admin = ConfluentAdmin(settings)
        self._told: BrokerUnavailable | None = None  # by the last fetch, raised by the next
        self._commit_error: KafkaError | None = None
        self._closed = False
        self._options = connection(settings) | {
            "group.id": settings.kafka_group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": common.FETCH_WAIT_MS,
            # Beyond this many kB fetching rests for the back-off, 1 s by default: a stall.
            "queued.max.messages.kbytes": 16 << 10,
            "fetch.queue.backoff.ms": 10,
            "fetch.error.backoff.ms": 100,
            "max.partition.fetch.bytes": common.FETCH_BYTES,
            "fetch.max.bytes": common.MAX_RECORD_BYTES + common.FETCH_BYTES,
            "receive.message.max.bytes": common.MAX_ANSWER_BYTES,
            # No session here: it only bounds how long a commit waits for its coordinator.
            "session.timeout.ms": int(limit * 1000),
            "heartbeat.interval.ms": int(limit * 300),
            "on_commit": self._on_commit,
        }
        self._consumer: Consumer = opened(Consumer, self._options)

    def describe(self) -> TopicInfo | None:
        """See Source."""
        return self._admin.describe(self._topic)

    def committed(self, partitions: Sequence[int]) -> dict[int, Committed]:
        """See Source."""
        if not partitions:
            return {}
        wanted = [TopicPartition(self._topic, p) for p in partitions]
        try:
            found = self._consumer.committed(wanted, timeout=self._limit)
        except KafkaException as error:
            raise self._failure("return the committed offsets", error.args[0]) from error
        for each in found:
            if each.error:
                raise self._failure("return the committed offsets", each.error)
        return {
            each.partition: Committed(each.offset, metadata_of(each))
            for each in found
            if each.offset != _UNSET
        }

    def watermarks(self, partition: int) -> Watermarks:
        """See Source."""
        what = f"return the watermarks of {self._topic}[{partition}]"
        try:
            both = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=self._limit
            )
        except KafkaException as error:
            raise self._failure(what, error.args[0]) from error
        if both is None:
            raise common.failure(what, self._bootstrap, 0, "no answer in time")
        return Watermarks(*both)

    def commit(self, offsets: Mapping[int, Committed], *, wait: bool) -> None:
        """See Source."""
        error, self._commit_error = self._commit_error, None
        if error is not None:
            raise self._commit_failure(error.code(), error.str())
        if not offsets:
            return
        parts = [TopicPartition(self._topic, p, c.offset, c.metadata) for p, c in offsets.items()]
        try:
            done = self._consumer.commit(offsets=parts, asynchronous=not wait)
        except KafkaException as failed:
            bad = failed.args[0]
            raise self._commit_failure(bad.code(), bad.str()) from failed
        for each in done or ():
            if each.error:
                raise self._commit_failure(each.error.code(), each.error.str())

    def close(self) -> None:
        """See Source."""
        if not self._closed:
            self._closed = True
            self._consumer.close()
            self._admin.close()

    def _fetch(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        told, self._told = self._told, None
        if told is not None:
            raise told
        # consume(n, timeout) waits for all n: ask for what is there, else wait for the first.
        messages = self._consumer.consume(max_records, 0)
        if not messages and timeout > 0:
            messages = self._consumer.consume(1, timeout)
            if messages and max_records > 1:
                messages += self._consumer.consume(max_records - 1, 0)
        out: dict[int, list[Record]] = {}
        for message in messages:
            if message.error() is not None:
                self._meet(message)  # raises nothing: what came with it is delivered
                continue
            record = Record(
                message.offset(), message.timestamp()[1], message.key(), message.value()
            )
            partition = message.partition()
            if partition in out:
                out[partition].append(record)
            else:
                out[partition] = [record]
        if not out and self._told is None:
            self._told = way_in.too_large(self._topic, common.MAX_ANSWER_BYTES)
        return out

    def _start(self, positions: Mapping[int, int]) -> None:
        # A new consumer: the old one would keep pauses, and never finds a recreated topic again.
        self._consumer.close()
        way_in.forget_size()
        self._consumer = opened(Consumer, self._options)
        self._consumer.assign([TopicPartition(self._topic, p, o) for p, o in positions.items()])

    def _turn(self, positions: Mapping[int, int]) -> None:
        self._told = None
        way_in.forget_size()
        parts = [TopicPartition(self._topic, p, o) for p, o in positions.items()]
        self._consumer.assign(parts)
        self._consumer.resume(parts)  # of what was held before

    def _move(self, partition: int, offset: int) -> None:
        # What was told is of the place that is left; an answer on its way may tell it once more.
        self._told = None
        way_in.forget_size()
        # Consumer.seek fails ("erroneous state") just after an assign and after an error.
        self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
        self._consumer.incremental_assign([TopicPartition(self._topic, partition, offset)])

    def _hold(self, partition: int) -> None:
        self._consumer.pause([TopicPartition(self._topic, partition)])

    def _release(self, partition: int) -> None:
        self._consumer.resume([TopicPartition(self._topic, partition)])

    def _meet(self, message: Any) -> None:
        """An event in place of a record: a lost position, or trouble that the client retries."""
        error = message.error()
        if error.code() in _OUT_OF_RANGE:
            self._lost(message.partition())
            return
        failed = self._failure(f"deliver {self._topic}", error)
        if isinstance(failed, BrokerRefused):
            self._told = failed
        else:
            sparing.warning("%s", failed)

    def _on_commit(self, error: KafkaError | None, partitions: list[Any]) -> None:
        bad = error or next((p.error for p in partitions if p.error), None)
        if bad is not None:
            self._commit_error = bad

    def _failure(self, what: str, error: KafkaError) -> BrokerUnavailable:
        return translate(what, self._bootstrap, error)
