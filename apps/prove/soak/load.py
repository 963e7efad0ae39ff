"""Steady load on the transactions topic, from a thread."""

import threading
import time
from collections.abc import Iterator

import confluent_kafka

from apps.prove.chaos.traffic import KeyValue
from stormwatch.settings import Settings

_TICK_S = 0.05
_AHEAD_AT_ONCE = 500
"""Of those ahead, between two looks at what the client has confirmed: its queue never fills."""
_LIMIT_S = 60.0


class Load(threading.Thread):
    """Publishes `ahead` records as fast as it can, and `rate` a second beside until it is stopped;
    `published` counts what was given to the client, `lost` what Kafka refused."""

    def __init__(
        self, settings: Settings, records: Iterator[KeyValue], rate: float, ahead: int = 0
    ) -> None:
        super().__init__(name="load", daemon=True)
        self.published = self.lost = 0
        self._records, self._rate, self._ahead = records, rate, ahead
        self._topic = settings.topic_transactions
        self._ended = threading.Event()
        self._options = {
            "bootstrap.servers": settings.kafka_bootstrap,
            "partitioner": "murmur2_random",
        }

    def run(self) -> None:
        producer = confluent_kafka.Producer(self._options)  # gone, with its threads, at the end
        began, ahead = time.monotonic(), 0
        while not self._ended.wait(_TICK_S):
            ahead = min(self._ahead, ahead + _AHEAD_AT_ONCE)
            due = ahead + int((time.monotonic() - began) * self._rate)
            while self.published < due:
                key, value = next(self._records)
                producer.produce(self._topic, value, key, on_delivery=self._delivered)
                self.published += 1
            producer.poll(0)
        self.lost += producer.flush(_LIMIT_S)

    def stop(self) -> None:
        """Returns when all is confirmed, or after a minute."""
        self._ended.set()
        self.join()

    def _delivered(self, error: object, message: confluent_kafka.Message) -> None:
        self.lost += error is not None
