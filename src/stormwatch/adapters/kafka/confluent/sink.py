"""Writing through confluent-kafka."""

import time
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.confluent.connection import connection, opened, translate
from stormwatch.errors import BrokerUnavailable
from stormwatch.settings import Settings

LINGER_MS = 100
"""For what is sent in one go and then flushed, which sends at once. Where some messages leave
before, librdkafka has the others of their partition wait for the answer, and spins meanwhile: half
the speed, and a core (findings/librdkafka-spins-behind-a-request.sh)."""
_QUEUE_KB = 32 << 10


class ConfluentSink:
    """Sink over librdkafka's idempotent producer.

    After a failure the producer is thrown away with all that is queued, so that the caller's next
    try does not pile up behind the last one.
    """

    def __init__(self, settings: Settings, *, linger_ms: int = LINGER_MS) -> None:
        """`linger_ms`: how long a record may wait for others to share its request with."""
        self._bootstrap, self._limit = settings.kafka_bootstrap, settings.kafka_request_timeout_s
        self._options = connection(settings) | {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "batch.num.messages": 10_000,
            "message.max.bytes": common.MAX_RECORD_BYTES,
            "queue.buffering.max.kbytes": _QUEUE_KB,
            "delivery.report.only.error": True,
            "on_delivery": self._on_delivery,
        }
        self._error: KafkaError | None = None
        self._producer: Producer | None = self._open()

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """See Sink. Raises BrokerRefused for a record over 12 MB."""
        producer = self._producer or self._open()
        try:
            while True:
                try:
                    producer.produce(topic, value, key)
                    return
                except BufferError:
                    self._wait_for_room(producer)
        except KafkaException as error:
            raise translate(f"take a record for {topic}", self._bootstrap, error.args[0]) from error

    def flush(self, timeout: float) -> None:
        """See Sink."""
        if self._producer is None:
            return
        waiting = self._producer.flush(timeout)
        error, self._error = self._error, None
        if not waiting and error is None:
            return
        self._discard()
        what = "confirm what was sent"
        if error is not None:
            raise translate(what, self._bootstrap, error)
        raise common.failure(
            what, self._bootstrap, 0, f"{waiting} records waited for {timeout:g} s"
        )

    def close(self) -> None:
        """See Sink."""
        with suppress(BrokerUnavailable):  # whoever cares has flushed
            self.flush(1.0)
        self._producer = None

    def _open(self) -> Producer:
        self._error = None
        self._producer = opened(Producer, self._options)
        return self._producer

    def _discard(self) -> None:
        if self._producer is not None:
            self._producer.purge(blocking=False)
            self._producer.poll(0)
        self._producer = self._error = None

    def _wait_for_room(self, producer: Producer) -> None:
        deadline = time.monotonic() + self._limit
        full = len(producer)
        while len(producer) >= full:
            producer.poll(0.01)
            if time.monotonic() > deadline:
                self._discard()
                raise common.failure(
                    "take a record", self._bootstrap, 0, f"{full} records wait to be confirmed"
                )

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._error is None:
            self._error = error
