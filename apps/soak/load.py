"""Steady load on the transactions topic, from a thread."""

import threading
import time
from collections.abc import Iterator

import confluent_kafka

from apps.chaos.traffic import KeyValue
from stormwatch.settings import Settings

_TICK_S = 0.05
_LIMIT_S = 60.0


class Load(threading.Thread):
    """Publishes `rate` records a second until it is stopped; `published` counts what was given to
    the client, `lost` what Kafka refused."""

    def __init__(self, settings: Settings, records: Iterator[KeyValue], rate: float) -> None:
        super().__init__(name="load", daemon=True)
        self.published = self.lost = 0
        self._records, self._rate, self._topic = records, rate, settings.topic_transactions
        self._ended = threading.Event()
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": settings.kafka_bootstrap, "partitioner": "murmur2_random"}
        )

    def run(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(_TICK_S):
            due = int((time.monotonic() - began) * self._rate)
            while self.published < due:
                key, value = next(self._records)
                self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
                self.published += 1
            self._producer.poll(0)

    def stop(self) -> None:
        """Returns when all is confirmed, or after a minute."""
        self._ended.set()
        self.join()
        self.lost += self._producer.flush(_LIMIT_S)

    def _delivered(self, error: object, message: confluent_kafka.Message) -> None:
        self.lost += error is not None
