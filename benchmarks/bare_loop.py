"""The yardstick: the topology's own work in a plain loop, without Storm, one process a core.

Kafka -> parse -> score -> store -> commit with the very components that the bolts use, so that the
difference to the topology is the engine's cost. `benchmarks.fraud_path` starts it.
"""

import argparse
import json
import os
import sys
import time
from collections import deque
from functools import partial
from typing import Any

from benchmarks.engine_sink import DecisionsToKafka
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.domains.fraud import Fraud
from stormwatch.parsing.batch import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Committed
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings, load
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome, Step


def run(settings: Settings, task: int, tasks: int, engine_only: bool) -> dict[str, float]:
    """Decide this task's share of the topic, to its end; figures of the work without set-up."""
    source = connect.source(settings, settings.topic_transactions)
    info = source.describe()
    assert info is not None, "load the topic first"
    mine = [p for p in range(info.partitions) if p % tasks == task]
    ends = {p: source.watermarks(p).high for p in mine}
    position = dict.fromkeys(mine, 0)
    source.assign(position)
    fraud = Fraud.from_settings(settings)
    contract: Contract[Any, Any] = Contract(
        fraud,
        Policy(settings.lateness_s * 1000, settings.dedup_horizon_s * 1000, settings.dedup_max_ids),
        "bare",
    )
    sink = connect.sink(settings)
    store: Any = MemoryStore() if engine_only else cassandra.connect(settings)
    score: ScoreStep[Any, Any] = ScoreStep(
        lambda: contract,
        StateCache((1 << 40) if engine_only else settings.cache_mb << 20),
        partial(stripe_of, stripes=settings.layout_stripes),
        lambda: store,
        now_ms,
    )
    keep: Step = (
        DecisionsToKafka(sink)
        if engine_only
        else StoreStep(
            lambda: store,
            lambda: sink,
            Topics(settings.topic_alerts, settings.topic_dead_letters),
            10.0,
            lambda _: None,
        )
    )
    waiting: dict[int, deque[Record]] = {p: deque() for p in mine}
    began = time.perf_counter()
    cpu = time.process_time()
    done = 0
    while any(position[p] < ends[p] for p in mine):
        for p, records in source.poll(4 * settings.batch_max_records, 0.05).items():
            waiting[p].extend(records)
        for p in mine:
            queue = waiting[p]
            if not queue:
                continue
            batch = [queue.popleft() for _ in range(min(len(queue), settings.batch_max_records))]
            last = batch[-1].offset
            fragment = Fragment(settings.topic_transactions, p, 1, position[p], last, 1, 0)
            parsed, _ = parse_batch(
                fragment, batch, fraud.parse, component="bare",
                record_max_bytes=settings.record_max_bytes, now=now_ms(),
            )  # fmt: skip
            keep.work_all([(fragment, score.work(fragment, parsed))])
            score.finish(fragment, Outcome.DONE)
            position[p] = last + 1
            done += len(batch)
            source.commit({p: Committed(last + 1, "")}, wait=False)
    figures = {
        "records": done,
        "began": began,
        "ended": time.perf_counter(),
        "cpu_s": time.process_time() - cpu,
    }
    sink.close()
    source.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=int, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--engine-only", action="store_true")
    options = parser.parse_args()
    figures = run(load(), options.task, options.tasks, options.engine_only)
    print(json.dumps(figures))
    sys.stdout.flush()
    os._exit(0)  # the driver's threads need not be waited for


if __name__ == "__main__":
    main()
