"""What a record costs to send and to read with each Kafka client, through our ports.

    python benchmarks/kafka_clients.py [--records N] [--bytes B]

Needs a running Kafka (`./stormwatch up`, or kafka.bootstrap). Both clients run in the same call,
one after the other, on a topic of four partitions that is deleted afterwards. CPU is this
process's own, all threads; the broker's share is not in it.
"""

import argparse
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from stormwatch.adapters import connect  # noqa: E402
from stormwatch.settings import Settings, load  # noqa: E402

PARTITIONS = 4
BATCH = 1000


class Cost(NamedTuple):
    """Microseconds a record."""

    wall: float
    cpu: float


def measure(records: int, work: Callable[[], None]) -> Cost:
    """What `work` on so many records costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    scale = 1e6 / records
    return Cost((time.perf_counter() - wall) * scale, (time.process_time() - cpu) * scale)


def send(settings: Settings, topic: str, records: int, size: int) -> Cost:
    """Send and wait until all is confirmed."""
    value = b"x" * size
    keys = [b"C%09d" % i for i in range(5000)]
    with closing(connect.sink(settings)) as sink:
        sink.send(topic, None, value)
        sink.flush(10)

        def work() -> None:
            for i in range(records):
                sink.send(topic, keys[i % 5000], value)
            sink.flush(120)

        return measure(records, work)


def read(settings: Settings, topic: str, pausing: bool) -> Cost:
    """Read all; `pausing` as the spout does: what was polled rests while the others are polled."""
    with closing(connect.source(settings, topic)) as source:
        highs = {p: source.watermarks(p).high for p in range(PARTITIONS)}
        total = sum(highs.values())

        def work() -> None:
            source.assign(dict.fromkeys(highs, 0))
            count = 0
            while count < total:
                polled = source.poll(BATCH, 1.0)
                count += sum(map(len, polled.values()))
                if pausing:
                    source.pause(polled)
                    count += sum(map(len, source.poll(BATCH, 0).values()))
                    source.resume(polled)

        return measure(total, work)


def main() -> None:
    """Prints a table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--bytes", type=int, default=200)
    args = parser.parse_args()
    settings = load(root=ROOT)
    table: dict[str, list[Cost]] = {}
    for client in ("confluent", "kafka-python"):
        mine = replace(settings, kafka_client=client)
        topic = f"benchmark-{uuid.uuid4().hex[:8]}"
        with closing(connect.admin(mine)) as admin:
            admin.ensure_topic(topic, PARTITIONS, {})
            try:
                table[client] = [
                    send(mine, topic, args.records, args.bytes),
                    read(mine, topic, pausing=False),
                    read(mine, topic, pausing=True),
                ]
            finally:
                admin.delete_topic(topic)
    print(f"us a record of {args.bytes} bytes, {args.records:,} records: wall (CPU)")
    print(f"{'':14}{'send':>16}{'read':>16}{'read, pausing':>16}")
    for client, costs in table.items():
        print(f"{client:14}" + "".join(f"{c.wall:8.2f} ({c.cpu:5.2f})" for c in costs))
    ratios = [slow.cpu / fast.cpu for fast, slow in zip(*table.values(), strict=True)]
    print(f"{'ratio of CPU':14}" + "".join(f"{ratio:16.1f}" for ratio in ratios))


if __name__ == "__main__":
    main()
