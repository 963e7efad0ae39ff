"""Quix Streams: a function applied to record after record, its states in a dict of its own
(`natural`); or a sink that is given batches, as its documentation has for what is bulk."""

import sys
from collections.abc import Callable
from typing import Any

from confluent_kafka import Producer
from quixstreams import Application, message_context
from quixstreams.sinks import BatchingSink, SinkBatch

from benchmarks.contenders.core import Arguments, Core, Taken, arguments


class Decided(BatchingSink):  # type: ignore[misc]
    """Decides what came between two commits, and publishes it."""

    def __init__(self, asked: Arguments, core: Core) -> None:
        super().__init__()
        self._out, self._core = asked.out, core
        self._producer = Producer({"bootstrap.servers": asked.servers, "linger.ms": 2})

    def write(self, batch: SinkBatch) -> None:
        """Called for each partition of a batch."""
        taken = [
            Taken(batch.topic, batch.partition, one.offset, one.timestamp, one.value)
            for one in batch
        ]
        for key, body in self._core.decide(taken):
            self._producer.produce(self._out, body, key)
        self._producer.flush()


def _one_by_one(core: Core) -> Callable[..., list[bytes]]:
    def decide(value: bytes, key: Any, timestamp: int, headers: Any) -> list[bytes]:
        at = message_context()
        taken = Taken(at.topic, at.partition, at.offset, timestamp, value)
        return [body for _, body in core.decide([taken])]

    return decide


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    natural = "natural" in asked.more
    app = Application(
        broker_address=asked.servers, consumer_group=asked.group, auto_offset_reset="earliest",
        use_changelog_topics=False, loglevel="WARNING", commit_every=0 if natural else 2000,
        commit_interval=5.0 if natural else 0.5,
    )  # fmt: skip
    source = app.topic(asked.topic, value_deserializer="bytes", key_deserializer="bytes")
    out = app.topic(asked.out, value_serializer="bytes", key_serializer="bytes")
    core = Core(asked.domain)
    frame = app.dataframe(source)
    if natural:
        frame.apply(_one_by_one(core), expand=True, metadata=True).to_topic(out)
    else:
        frame.sink(Decided(asked, core))
    app.run()


if __name__ == "__main__":
    main()
