"""Quix Streams: a function applied to record after record, its states in a dict of its own."""

import sys
from typing import Any

from quixstreams import Application, message_context

from benchmarks.contenders.core import Core, Taken, arguments


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    app = Application(
        broker_address=asked.servers, consumer_group=asked.group, auto_offset_reset="earliest",
        use_changelog_topics=False, loglevel="WARNING",
    )  # fmt: skip
    source = app.topic(asked.topic, value_deserializer="bytes", key_deserializer="bytes")
    out = app.topic(asked.out, value_serializer="bytes", key_serializer="bytes")
    core = Core()

    def decide(value: bytes, key: Any, timestamp: int, headers: Any) -> list[bytes]:
        at = message_context()
        taken = Taken(at.topic, at.partition, at.offset, timestamp, value)
        return [body for _, body in core.decide([taken])]

    app.dataframe(source).apply(decide, expand=True, metadata=True).to_topic(out)
    app.run()


if __name__ == "__main__":
    main()
