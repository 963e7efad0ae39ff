"""Transactions as they come: mostly good, some sent twice, changed, late or broken; to Kafka."""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial

import confluent_kafka
import msgspec

from apps.data.generate.transactions import DAY, START, Transactions
from apps.prove.chaos.errors import ChaosFailed, expect
from stormwatch.adapters import connect, log_reader
from stormwatch.settings import Settings

KeyValue = tuple[bytes, bytes | None]
Good = tuple[bytes, bytes]

A_DAY = 1000
"""Records of a day of event time, with 500 customers."""
_TEMPLATE = {
    "terminal": "T1", "time": "2010-01-02T00:00:00Z", "amount": 100, "currency": "EUR",
}  # fmt: skip
POISON = b"C-poison"
"""How the customers begin on whom the poisoned domain raises."""
_LARGE = 100_000
BROKEN = (b"", b"{", None, b'{"id":"x"}', b"\xff\xfe", b'{"amount":NaN}')


def mixed(
    count: int, seed: int = 1, run: str = "a", customers: int = 500, day: int = 0
) -> Iterator[KeyValue]:
    """`count` records from that day on, always the same ones for the same arguments."""
    generated = iter(Transactions(seed, run=run, customers=customers, start=START + day * DAY))
    recent: list[Good] = []
    for i in range(count):
        again = recent[-40 * (i % 5) - 1] if len(recent) > 200 else None
        if again is None or i % 10:
            key, value, _ = next(generated)
            recent = [*recent[-200:], (key, value)] if i % 4 == 0 else recent
            yield key, value
        else:
            yield again[0], _spoilt(i // 10, again[1])


def poisoned(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Mixed traffic; one record in 500 is of a customer on whom the poisoned domain raises."""
    for i, (key, value) in enumerate(mixed(count, seed)):
        if i % 500 == 250:
            name = f"{POISON.decode()}-{i % 3}"
            event = {**_TEMPLATE, "id": f"poison-{i}", "customer": name}
            yield name.encode(), msgspec.json.encode(event)
        else:
            yield key, value


def oversized(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Mixed traffic; one record in 1,000 of 1 MiB or 100,000 fields, two of 10 MiB."""
    for i, (key, value) in enumerate(mixed(count, seed)):
        if i in {count // 3 + 1, count // 2 + 1}:
            yield key, b'{"id":"' + b"x" * (10 << 20) + b'"}'
        elif i % 1000 == 500:
            large = msgspec.json.encode({f"f{n}": n for n in range(100_000)})
            yield key, large if i % 2000 == 500 else b'{"id":"' + b"x" * (1 << 20) + b'"}'
        else:
            yield key, value


def hot(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Half of the records are of one customer."""
    one = iter(Transactions(seed + 1, run="hot", customers=1))
    for i, record in enumerate(mixed(count, seed)):
        if i % 2:
            key, value, _ = next(one)
            yield key, value
        else:
            yield record


def motley(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Half of one customer, and between the others what `poisoned` and `oversized` have."""
    for half, poison, large in zip(
        hot(count, seed), poisoned(count, seed), oversized(count, seed), strict=True
    ):
        if len(large[1] or b"") > _LARGE:
            yield large
        else:
            yield poison if poison[0].startswith(POISON) else half


def _spoilt(turn: int, value: bytes) -> bytes | None:
    match turn % 4:
        case 0:
            return value
        case 1:
            return BROKEN[turn // 4 % len(BROKEN)]
        case 2:
            event = msgspec.json.decode(value)
            return msgspec.json.encode(event | {"amount": event["amount"] + 1})
        case _:
            event = msgspec.json.decode(value)
            early = "2001-01-01T00:00:00Z"
            return msgspec.json.encode(event | {"id": f"late-{turn}", "time": early})


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
        for partition in range(info.partitions):
            marks = source.watermarks(partition)
            for some in log_reader.whole(source, partition, *marks, _LIMIT_S):
                out += [json.loads(record.value or b"{}") for record in some]
    return out


def _delivered(
    places: list[tuple[int, int]], place: int, error: object, message: confluent_kafka.Message
) -> None:
    expect(error is None, error)
    places[place] = (message.partition(), message.offset())


_TICK_S = 0.05
_AHEAD_AT_ONCE = 500
"""Of those ahead, between two looks at what the client has confirmed: its queue never fills."""


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
