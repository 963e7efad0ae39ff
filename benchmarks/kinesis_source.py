"""Kinesis beside Kafka into Cassandra: the same records read, decided, stored, in turns in one run.

./stormwatch up
node -e 'require("kinesalite")({shardLimit: 100}).listen(4567, "127.0.0.1")'
AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any \\
./stormwatch bench kinesis_source [--records 20000] [--kinesis http://127.0.0.1:4567]

All of a topology but Storm, in one process: two readers, deciding by a small domain, the store's
commit, positions. What only reads the stream, with nothing behind it, says how far the server in
AWS' place bounds it. Also by this process's own time, which what else runs does not change.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from stormwatch.adapters import connect
from stormwatch.settings import Settings, load
from tests.models.kinesis_cluster import Kinesis
from tests.models.kinesis_writer import Death, Notes, decide, settings_of

ROOT = Path(__file__).parents[1]
PARTITIONS, KEYS, AT_ONCE, PADDING = 4, 997, 500, "." * 220


def records(name: str, total: int) -> list[tuple[bytes, bytes]]:
    """(key, value), of some 300 bytes; nobody has seen their ids and keys."""
    encode = msgspec.json.encode
    return [
        (key.encode(), encode([f"{name}-{n}", key, n, n % 11, PADDING]))
        for n in range(total)
        for key in [f"{name}-k{n % KEYS}"]
    ]


def published(sink: Any, name: str, some: list[tuple[bytes, bytes]]) -> None:
    for first in range(0, len(some), AT_ONCE):
        for key, value in some[first : first + AT_ONCE]:
            sink.send(name, key, value)
        sink.flush(60)


def only_read(kinesis: Kinesis, name: str, total: int) -> None:
    """The shards in turn, as many records a request as AWS gives."""
    client, seen = kinesis.client, 0
    shards = client.list_shards(StreamName=name)["Shards"]
    iterators = [
        client.get_shard_iterator(
            StreamName=name, ShardId=each["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for each in shards
    ]
    while seen < total:
        for n, iterator in enumerate(iterators):
            told = client.get_records(ShardIterator=iterator, Limit=10_000)
            iterators[n] = told["NextShardIterator"]
            seen += len(told["Records"])


def timed(work: Callable[[], None], total: int) -> tuple[float, float]:
    """(records a second, microseconds of this process a record)."""
    wall, used = time.perf_counter(), time.process_time()
    work()
    wall, used = time.perf_counter() - wall, time.process_time() - used
    return total / wall, used / total * 1e6


def measure(
    settings: Settings, url: str, total: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Medians of each way."""
    found: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        kinesis = Kinesis(stack, url)
        admin = stack.enter_context(closing(connect.admin(settings)))
        sink = stack.enter_context(closing(connect.sink(settings)))

        def into_cassandra(mine: Settings, name: str) -> None:
            with tempfile.TemporaryDirectory() as notes:
                decide(mine, name, total, Notes(Path(notes)), Death(), connect.source)

        for _ in range(rounds):
            name = f"bench_{uuid.uuid4().hex[:8]}"
            admin.ensure_topic(name, PARTITIONS, {})
            published(sink, name, records(f"a{name}", total))
            kinesis.admin().ensure_topic(name, PARTITIONS, {})
            published(kinesis.sink(), name, records(f"b{name}", total))
            ways: dict[str, Callable[[], None]] = {
                "Kafka into Cassandra": lambda: into_cassandra(settings, name),  # noqa: B023
                "Kinesis into Cassandra": lambda: into_cassandra(
                    settings_of(settings, url),
                    name,  # noqa: B023
                ),
                "Kinesis, only read": lambda: only_read(kinesis, name, total),  # noqa: B023
            }
            for way, work in ways.items():
                found.setdefault(way, []).append(timed(work, total))
    return {
        way: (statistics.median(r for r, _ in some), statistics.median(u for _, u in some))
        for way, some in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinesis", default="http://127.0.0.1:4567")
    options = parser.parse_args()
    settings = replace(load(root=ROOT), cassandra_keyspace="bench_sources", layout_stripes=4)
    tables = connect.tables(settings)
    tables.apply(settings, ROOT / tables.files, lambda step, said: None)
    found = measure(settings, options.kinesis, options.records, options.rounds)
    for way, (rate, used) in found.items():
        print(f"{way:<24} {rate:>8,.0f} records/s; {used:>6.0f} us of this process a record")
    kafka, kinesis = (found[f"{each} into Cassandra"][0] for each in ("Kafka", "Kinesis"))
    print(f"Kinesis / Kafka {kinesis / kafka:.2f}")


if __name__ == "__main__":
    main()
