"""Small values kept in a compacted topic: what `Source.remember` and `Source.recall` stand on.

Written over the ports, so that every Kafka client shares it. Both calls are rare (once a start):
they connect, work and leave.
"""

import time
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Admin, Sink, Source

COMPACTED = {"cleanup.policy": "compact"}
_READ_AT_ONCE = 10_000


class Control(NamedTuple):
    """The control topic and how to reach it. `timeout` bounds each of the calls, s."""

    topic: str
    admin: Callable[[], Admin]
    source: Callable[[str], Source]
    sink: Callable[[], Sink]
    timeout: float

    def remember(self, key: str, value: bytes) -> None:
        """Returns when all in-sync replicas have it. Raises BrokerUnavailable."""
        with closing(self.admin()) as admin:
            admin.ensure_topic(self.topic, 1, COMPACTED)
        with closing(self.sink()) as sink:
            sink.send(self.topic, key.encode(), value)
            sink.flush(self.timeout)

    def recall(self, key: str) -> bytes | None:
        """The last value of the key, None if it never had one. Raises BrokerUnavailable."""
        wanted, found = key.encode(), None
        deadline = time.monotonic() + self.timeout
        with closing(self.source(self.topic)) as source:
            if source.describe() is None:
                return None
            low, high = source.watermarks(0)
            source.assign({0: low})
            position = low
            while position < high:
                records = source.poll(_READ_AT_ONCE, 0.1).get(0, ())
                for record in records:
                    position = record.offset + 1
                    if record.key == wanted:
                        found = record.value
                if source.gone():
                    position = source.watermarks(0).low
                    source.seek(0, position)
                if position < high and not records and time.monotonic() > deadline:
                    raise BrokerUnavailable(
                        f"Kafka did not deliver the topic {self.topic} within {self.timeout:g} s "
                        f"(at offset {position} of {high}); it is read again."
                    )
        return found
