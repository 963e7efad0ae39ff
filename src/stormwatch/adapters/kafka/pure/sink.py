"""Writing through kafka-python."""

from contextlib import suppress
from random import randrange
from typing import Any

from kafka import KafkaProducer
from kafka.partitioner import Partitioner

from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.pure.admin import asking, connection, opened
from stormwatch.errors import InfrastructureError
from stormwatch.partitioner import partition_of
from stormwatch.settings import Settings

UNCONFIRMED = 10_000
"""Records queued at most: kafka-python's own queue has no bound."""


class _Murmur2(Partitioner):  # type: ignore[misc]
    def partition(self, topic: str, key: Any, serialized_key: bytes | None, *rest: Any) -> int:
        partitions = len(rest[-1].partitions_for_topic(topic))
        if serialized_key is None:
            return randrange(partitions)
        return partition_of(serialized_key, partitions)


class KafkaPythonSink:
    """Sink over kafka-python's idempotent producer.

    After a failure the producer is thrown away with all that is queued, so that the caller's next
    try does not pile up behind the last one.
    """

    def __init__(self, settings: Settings) -> None:
        self._bootstrap, self._limit = settings.kafka_bootstrap, settings.kafka_request_timeout_s
        self._options = connection(settings) | {
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 2,
            "batch_size": 256 << 10,
            "max_block_ms": int(self._limit * 1000),
            "max_request_size": common.MAX_RECORD_BYTES,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            "partitioner": _Murmur2(),
        }
        self._errors: list[BaseException] = []
        self._queued = 0
        self._producer: KafkaProducer | None = self._open()

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """See Sink. Raises BrokerRefused for a record over 12 MB."""
        if self._queued >= UNCONFIRMED:
            self.flush(self._limit)
        with asking(f"take a record for {topic}", self._bootstrap):
            producer = self._producer or self._open()
            producer.send(topic, value, key).add_errback(self._errors.append)
        self._queued += 1

    def flush(self, timeout: float) -> None:
        """See Sink."""
        if self._producer is None or not self._queued:
            return
        try:
            with asking("confirm what was sent", self._bootstrap):
                self._producer.flush(timeout)
                if self._errors:
                    raise self._errors[0]
        except BaseException:  # also at Ctrl-C: nobody knows which of it arrived
            self._discard()
            raise
        self._queued = 0

    def close(self) -> None:
        """See Sink."""
        with suppress(InfrastructureError):  # whoever cares has flushed
            self.flush(1.0)
        self._discard()

    def _open(self) -> KafkaProducer:
        self._errors, self._queued = [], 0
        self._producer = opened(KafkaProducer, self._options)
        return self._producer

    def _discard(self) -> None:
        producer, self._producer, self._queued = self._producer, None, 0
        if producer is not None:
            # Without this, close() waits for what is queued and then leaves the thread running.
            producer._sender.force_close()
            with suppress(InfrastructureError), asking("close", self._bootstrap):
                producer.close(timeout=1)
