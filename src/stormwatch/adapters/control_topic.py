"""Small values kept in a compacted topic: what `Source.remember` and `Source.recall` stand on.

Written over the ports, so that every Kafka client shares it. Both calls are rare (once a start):
they connect, work and leave.
"""

from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from stormwatch.adapters import log_reader
from stormwatch.errors import TopicError
from stormwatch.ports import Admin, Sink, Source

COMPACTED = {"cleanup.policy": "compact"}


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
        with closing(self.source(self.topic)) as source:
            if source.describe() is None:
                return None
            while True:
                marks = source.watermarks(0)
                try:
                    for some in log_reader.whole(source, 0, *marks, self.timeout):
                        for record in some:
                            if record.key == wanted:
                                found = record.value
                except TopicError:  # records were deleted meanwhile: from the oldest that is left
                    continue
                return found
