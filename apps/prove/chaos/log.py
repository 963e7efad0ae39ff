"""Writing to a topic and reading it whole, for a campaign."""

import json
import time
from collections.abc import Iterable
from contextlib import closing
from functools import partial

import confluent_kafka

from apps.prove.chaos.errors import ChaosFailed, expect
from apps.prove.chaos.traffic import KeyValue
from stormwatch.adapters import connect
from stormwatch.settings import Settings

_LIMIT_S = 60.0
_MOST_BYTES = 12_000_000


def publish(
    settings: Settings, records: Iterable[KeyValue], timestamp: int = 0
) -> list[tuple[int, int]]:
    """Write to the transactions topic; (partition, offset) of each. `timestamp` 0 is now."""
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "partitioner": "murmur2_random",
            "message.max.bytes": _MOST_BYTES,
        }
    )
    places: list[tuple[int, int]] = []
    for place, (key, value) in enumerate(records):
        places.append((-1, -1))
        told = partial(_delivered, places, place)
        while True:
            try:
                producer.produce(
                    settings.topic_transactions, value, key, timestamp=timestamp, on_delivery=told
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(_LIMIT_S)
    expect(left == 0, f"Kafka did not confirm {left} records within {_LIMIT_S:g} s")
    return places


def values(settings: Settings, topic: str) -> list[dict[str, object]]:
    """Every value of a topic."""
    out: list[dict[str, object]] = []
    with closing(connect.source(settings, topic)) as source:
        info = source.describe()
        if info is None:
            raise ChaosFailed(f"there is no topic {topic!r}")
        marks = {p: source.watermarks(p) for p in range(info.partitions)}
        left = sum(mark.high - mark.low for mark in marks.values())
        source.assign({p: mark.low for p, mark in marks.items()})
        deadline = time.monotonic() + _LIMIT_S
        while len(out) < left:
            expect(time.monotonic() < deadline, f"{len(out)} of {left} records of {topic}")
            for records in source.poll(10_000, 0.2).values():
                deadline = time.monotonic() + _LIMIT_S
                out += [json.loads(record.value or b"{}") for record in records]
    return out


def _delivered(
    places: list[tuple[int, int]], place: int, error: object, message: confluent_kafka.Message
) -> None:
    expect(error is None, error)
    places[place] = (message.partition(), message.offset())
