"""Writing into Kinesis streams; all other topics are Kafka's."""

import time
from collections.abc import Callable
from random import random

from stormwatch.adapters.kinesis.client import Absent, Client, Put, Throttled
from stormwatch.errors import BrokerRefused, BrokerUnavailable
from stormwatch.ports import Sink

REQUEST_RECORDS, REQUEST_BYTES = 500, 4 << 20
"""Of one request; AWS allows 5 MB."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0


class KinesisSink:
    """Sends what `is_stream` to Kinesis and the rest to `kafka`.

    The key of a record is its partition key, so that a key keeps to one shard. Of a request AWS may
    take some records and refuse others for its limits; then all from the first refused one on are
    sent again, in their order: at least once, and duplicates are told by their ids.
    """

    def __init__(
        self, kafka: Sink, is_stream: Callable[[str], bool], client: Callable[[str], Client],
        timeout: float,
    ) -> None:  # fmt: skip
        self._kafka, self._is_stream, self._open, self._timeout = kafka, is_stream, client, timeout
        self._clients: dict[str, Client] = {}
        self._queues: dict[str, list[Put]] = {}
        self._bytes: dict[str, int] = {}

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """See Sink. Raises BrokerRefused for a record without a value."""
        if not self._is_stream(topic):
            self._kafka.send(topic, key, value)
            return
        if value is None:
            raise BrokerRefused(f"Kinesis keeps no record without a value: {topic} got none.")
        one = Put(_partition_key(key), value)
        queue = self._queues.setdefault(topic, [])
        size = self._bytes.get(topic, 0) + len(one.key) + len(value)
        if len(queue) >= REQUEST_RECORDS or (queue and size > REQUEST_BYTES):
            self._write(topic, time.monotonic() + self._timeout)
            queue, size = self._queues.setdefault(topic, []), len(one.key) + len(value)
        queue.append(one)
        self._bytes[topic] = size

    def flush(self, timeout: float) -> None:
        """See Sink."""
        until = time.monotonic() + timeout
        for topic in list(self._queues):
            self._write(topic, until)
        self._kafka.flush(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """See Sink."""
        try:
            self.flush(1.0)
        except (BrokerUnavailable, BrokerRefused):  # whoever cares has flushed
            self._queues.clear()
        for client in self._clients.values():
            client.close()
        self._kafka.close()

    def _write(self, topic: str, until: float) -> None:
        """All that waits for the stream. After a failure nothing waits any more."""
        left, self._bytes[topic] = self._queues.pop(topic, []), 0
        client = self._client(topic)
        wait = _FIRST_WAIT_S
        while left:
            try:
                taken = client.put(left)
            except Absent:
                raise BrokerRefused(
                    f"There is no Kinesis stream {topic}. Make it: "
                    f"`aws kinesis create-stream --stream-name {topic} --shard-count 4`."
                ) from None
            except Throttled:
                taken = 0
            left = left[taken:]
            if left:
                if time.monotonic() + wait > until:
                    raise BrokerUnavailable(
                        f"Kinesis did not take {len(left)} records for {topic} in time: it allows "
                        "1,000 records and 1 MB a second and shard. More shards take more."
                    )
                time.sleep(wait * (0.5 + random() / 2))
                wait = min(2 * wait, _LONGEST_WAIT_S)

    def _client(self, topic: str) -> Client:
        if topic not in self._clients:
            self._clients[topic] = self._open(topic)
        return self._clients[topic]


def _partition_key(key: bytes | None) -> str:
    """As text of 256 characters at most, as AWS wants it; any for a record that has none."""
    if not key:
        return f"{random():.17f}"
    return key.decode(errors="backslashreplace")[:256]
