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
from itertools import islice
from pathlib import Path

from apps.data.generate.transactions import Transactions
from apps.local import services
from apps.local.run.prepare import ensure_tables, ensure_topics
from benchmarks import engine_project
from benchmarks.engine_sink import TOPIC as DECISIONS
from stormwatch.adapters import connect
from stormwatch.errors import BrokerUnavailable
from stormwatch.settings import Settings, load, variable

ROOT = Path(__file__).resolve().parents[1]
QUIET_S = 120.0


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def environ_of(names: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **{variable(key): value for key, value in names.items()}}


def prepared(names: dict[str, str]) -> Settings:
    """Topics and tables under names of their own."""
    settings = load(environ_of(names), root=ROOT)
    admin = connect.admin(settings)
    ensure_topics(settings, admin, lambda *_: None)
    admin.ensure_topic(DECISIONS, settings.kafka_partitions, {})
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
    """Records/s of the topology, from its first commit to its last."""
    settings = prepared(names)
    folder, name = ROOT, "fraud"
    if options.engine_only:
        folder, name = engine_project.build(ROOT), "engine"
    log = (ROOT / settings.run_dir / "logs" / "bench.log").open("w")
    sparse = Path(sys.executable).with_name("sparse")
    child = subprocess.Popen(
        [sparse, "run", "-n", name], cwd=folder, env=environ_of(names),
        stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    admin = connect.admin(settings)
    points: list[tuple[float, int]] = []
    try:
        changed = time.monotonic()
        while not points or points[-1][1] < options.records:
            time.sleep(0.1)
            try:
                commits = admin.committed(settings.kafka_group, settings.topic_transactions)
            except BrokerUnavailable:  # a new group has no coordinator at first
                continue
            done = sum(c.offset for c in commits.values())
            if done and (not points or done > points[-1][1]):
                points.append((time.perf_counter(), done))
                changed = time.monotonic()
            if child.poll() is not None or time.monotonic() - changed > QUIET_S:
                raise SystemExit(f"the topology stopped at {points[-1:]}; see {log.name}")
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGINT)
        child.wait()
        admin.close()
    (began, at), (ended, _) = points[0], points[-1]
    rate: float = (options.records - at) / (ended - began)
    half = next(i for i, (_, n) in enumerate(points) if n >= options.records / 2)
    warm = (options.records - points[half][1]) / max(1e-9, ended - points[half][0])
    say(f"topology: {rate:,.0f} records/s; its second half {warm:,.0f}")
    return rate


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
    services.up(load(root=ROOT), ROOT, say)
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
