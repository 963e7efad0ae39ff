"""Throughput of the fraud path on a backlog: the topology against the bare loop, in the same run.

Loads a topic with generated transactions, lets `benchmarks.bare_loop` (one process a core, no
Storm) and then `sparse run -n fraud` decide all of it into tables of their own, and prints
records/s of both with their ratio. Both do the same reads, decisions and writes.

    ./stormwatch bench fraud_path --records 300000 --customers 5000
    ./stormwatch bench fraud_path --records 300000 --customers 1000000 --uniform
    ./stormwatch bench fraud_path --engine-only     # no Cassandra: decisions to Kafka
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from apps.data.generate.transactions import Transactions
from apps.local.run.prepare import ensure_tables, ensure_topics
from apps.local.storm.words import CHECKED
from benchmarks import engine_project
from benchmarks.engine_sink import TOPIC as DECISIONS
from benchmarks.side_by_side.own_services import own_services
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Watermarks
from stormwatch.settings import Settings, load, to_environ, variable

ROOT = Path(__file__).resolve().parents[1]
QUIET_S = 120.0
BY_BROKER = {"message.timestamp.type": "LogAppendTime"}
"""Of topics of decisions: a client may write what time it likes."""


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def environ_of(names: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **{variable(key): value for key, value in names.items()}}


def prepared(names: dict[str, str]) -> Settings:
    """Topics and tables under names of their own."""
    settings = load(environ_of(names), root=ROOT)
    admin = connect.admin(settings)
    ensure_topics(settings, admin, lambda *_: None)
    admin.ensure_topic(DECISIONS, settings.kafka_partitions, BY_BROKER)
    admin.close()
    ensure_tables(settings, ROOT, lambda *_: None)
    return settings


def fill(settings: Settings, options: argparse.Namespace) -> None:
    """Publish the backlog."""
    sink = connect.sink(settings)
    stream = Transactions(1, run="bench", customers=options.customers, uniform=options.uniform)
    began = time.perf_counter()
    for event in islice(stream, options.records):
        sink.send(settings.topic_transactions, event.key, event.value)
    sink.flush(60.0)
    sink.close()
    say(f"published {options.records:,} in {time.perf_counter() - began:.1f} s")


def bare(names: dict[str, str], options: argparse.Namespace) -> float:
    """Records/s of the bare loop, from the first process's first record to the last's last."""
    prepared(names)
    flags = ["--engine-only"] if options.engine_only else []
    commands = [
        [sys.executable, "-m", "benchmarks.bare_loop", "--task", str(i),
         "--tasks", str(options.processes), *flags]
        for i in range(options.processes)
    ]  # fmt: skip
    children = [
        subprocess.Popen(c, cwd=ROOT, env=environ_of(names), stdout=subprocess.PIPE, text=True)
        for c in commands
    ]
    figures = [json.loads(child.communicate()[0]) for child in children]
    records = sum(f["records"] for f in figures)
    seconds = max(f["ended"] for f in figures) - min(f["began"] for f in figures)
    rate: float = records / seconds
    say(f"bare loop: {rate:,.0f} records/s, {sum(f['cpu_s'] for f in figures):.1f} s CPU")
    return rate


def topology(names: dict[str, str], options: argparse.Namespace) -> float:
    """Records/s of the topology, from the end of its first batch to that of its last."""
    settings = prepared(names)
    folder, name = ROOT, "fraud"
    if options.engine_only:
        folder, name = engine_project.build(ROOT), "engine"
    log = (ROOT / settings.run_dir / "logs" / "bench.log").open("w")
    sparse = Path(sys.executable).with_name("sparse")
    admin = connect.admin(settings)
    before = admin.watermarks(DECISIONS)
    child = subprocess.Popen(
        # The engine's folder has no record of running services: it is told where they are.
        [sparse, "run", "-n", name], cwd=folder,
        env=os.environ | to_environ(settings) | {CHECKED: "yes"},
        stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    done = 0
    try:
        changed = time.monotonic()
        while done < options.records:
            time.sleep(0.1)
            try:
                commits = admin.committed(settings.kafka_group, settings.topic_transactions)
            except BrokerUnavailable:  # a new group has no coordinator at first
                continue
            now = sum(c.offset for c in commits.values())
            if now > done:
                done, changed = now, time.monotonic()
            if child.poll() is not None or time.monotonic() - changed > QUIET_S:
                raise SystemExit(f"the topology stopped at {done:,} records; see {log.name}")
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGINT)
        child.wait()
        admin.close()
    if options.engine_only:
        ends = [(ms, 1) for _, _, ms in read(settings, DECISIONS, before)]
    else:
        ends = ends_of_batches(settings)
    whole, warm = rate_of(ends), rate_of(second_half(ends))
    say(f"topology: {whole:,.0f} records/s; its second half {warm:,.0f}")
    return whole


Ends = list[tuple[int, int]]
"""When batches were done, ms, and how many records each had."""


def rate_of(ends: Ends) -> float:
    """Records/s after the first end. Commits would tell it to the second only."""
    first, last = min(ends)[0], max(ends)[0]
    return 1000 * sum(n for ms, n in ends if ms > first) / max(1, last - first)


def second_half(ends: Ends) -> Ends:
    """Those that came after half of the records."""
    ends, seen = sorted(ends), 0
    half = sum(n for _, n in ends) / 2
    for i, (_, n) in enumerate(ends):
        seen += n
        if seen >= half:
            return ends[i:]
    return ends


def ends_of_batches(settings: Settings) -> Ends:
    """By the ledger: a row's age counts from the oldest of its records."""
    topic = settings.topic_transactions
    with closing(connect.admin(settings)) as admin:
        marks = admin.watermarks(topic)
    times = {(p, o): ms for p, o, ms in read(settings, topic, dict.fromkeys(marks, _NOTHING))}
    ends: Ends = []
    with closing(cassandra.connect(settings)) as store:
        for partition, epoch, _ in store.ledger_starts(topic):
            for row in store.ledger(topic, partition, epoch, 0, marks[partition].high - 1):
                first, last = row.fragment.first, row.fragment.last
                oldest = min(times[partition, offset] for offset in range(first, last + 1))
                ends.append((oldest + row.age, last + 1 - first))
    return ends


_NOTHING = Watermarks(0, 0)


def read(
    settings: Settings, topic: str, after: Mapping[int, Watermarks]
) -> Iterator[tuple[int, int, int]]:
    """Partition, offset and Kafka's time of what came to the topic after these watermarks."""
    with closing(connect.source(settings, topic)) as source:
        ends = {p: source.watermarks(p).high for p in after}
        position = {p: marks.high for p, marks in after.items()}
        source.assign(position)
        while any(position[p] < end for p, end in ends.items()):
            for partition, records in source.poll(10_000, 1.0).items():
                position[partition] = records[-1].offset + 1
                for record in records:
                    yield partition, record.offset, record.timestamp


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--uniform", action="store_true", help="all customers equally often")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="of the bare loop")
    parser.add_argument("--engine-only", action="store_true", help="decisions to Kafka")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with own_services(lambda step, detail: say(f"{step}: {detail}")):
        _compared(options)


def _compared(options: argparse.Namespace) -> None:
    stamp = f"{int(time.time()):x}"
    topic = {"topic.transactions": f"bench-{stamp}"}
    fill(prepared({**topic, "cassandra.keyspace": f"bench_{stamp}"}), options)
    pairs = []
    for i in range(options.runs):
        own = {
            kind: {
                **topic,
                "cassandra.keyspace": f"b{stamp}_{kind}{i}",
                "kafka.group": f"{kind}{i}",
            }
            for kind in ("bare", "storm")
        }
        pairs.append((topology(own["storm"], options), bare(own["bare"], options)))
    storm, loop = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(s / b for s, b in pairs)
    print(f"topology {storm:,.0f} records/s, bare loop {loop:,.0f}, ratio {ratio:.2f}", end="")
    print(f" (median of {options.runs}; ratios {', '.join(f'{s / b:.2f}' for s, b in pairs)})")


if __name__ == "__main__":
    main()
