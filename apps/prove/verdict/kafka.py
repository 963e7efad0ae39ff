"""The log, read by the driver alone: librdkafka, no group, nothing committed.

Not through the port `Source`, as all else that reads offsets does: a record that the product's own
reader passed over would be missing on both sides of the comparison, and the verdict would pass.
"""

from collections.abc import Iterator
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from stormwatch.adapters.kafka.confluent.connection import connection
from stormwatch.errors import BrokerUnavailable
from stormwatch.records import Record
from stormwatch.settings import Settings

_AT_ONCE = 2_000
_SILENCE_S = 30.0
_EOF = -191  # KafkaError._PARTITION_EOF


class TopicReader:
    """One topic as it is now. Every method raises BrokerUnavailable; `close` it."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self.topic = topic
        self._timeout = settings.kafka_request_timeout_s
        self._consumer: Any = Consumer(
            connection(settings)
            | {
                "group.id": settings.kafka_group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
            }
        )

    def marks(self) -> dict[int, tuple[int, int, int]]:
        """Partition -> oldest offset, end, committed (0: never). {} where there is no topic."""
        try:
            found = self._consumer.list_topics(self.topic, self._timeout).topics[self.topic]
            places = [TopicPartition(self.topic, number) for number in sorted(found.partitions)]
            commits = self._consumer.committed(places, self._timeout) if places else []
            marks = {}
            for place in commits:
                low, high = self._consumer.get_watermark_offsets(place, self._timeout)
                marks[place.partition] = (low, high, max(place.offset, 0))
            return marks
        except KafkaException as error:
            raise _unavailable(self.topic, error) from error

    def read(self, partition: int, first: int, end: int) -> Iterator[list[Record]]:
        """Records of offsets `first` to `end` - 1, as they come; offsets may hold none."""
        self._consumer.assign([TopicPartition(self.topic, partition, first)])
        position, heard = first, monotonic()
        while position < end:
            run = []
            try:
                messages = self._consumer.consume(_AT_ONCE, 1.0)
            except KafkaException as error:
                raise _unavailable(self.topic, error) from error
            for message in messages:
                if message.error() is not None and message.error().code() == _EOF:
                    position = max(position, message.offset())
                elif message.error() is not None:
                    raise _unavailable(self.topic, message.error())
                elif message.offset() < end:
                    position = message.offset() + 1
                    time = message.timestamp()[1]
                    run.append(Record(message.offset(), time, message.key(), message.value()))
                else:
                    position = end
            if messages:
                heard = monotonic()
            elif monotonic() - heard > _SILENCE_S:
                raise _unavailable(self.topic, f"nothing after offset {position}")
            if run:
                yield run

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def _unavailable(topic: str, error: object) -> BrokerUnavailable:
    return BrokerUnavailable(f"Kafka did not deliver the topic {topic}: {error}. Try again.")
