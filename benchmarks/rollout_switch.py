"""What a batch takes while a pushed model is fetched, checked and loaded beside it.

    PYTHONPATH=.:src python benchmarks/rollout_switch.py

One process, memory for Kafka and Cassandra: batches of 200 payments are decided one after another,
and a model is pushed in every other second. Compared are batches before and during a change.
"""

import json
import shutil
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from apps.data.generate.transactions import Transactions
from apps.operate.domains import MAKE
from apps.operate.rollout import changing, models
from apps.operate.rollout.changing import Who
from stormwatch.adapters import connect
from stormwatch.adapters.threads.follower import Follower, Ports
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.domains.fraud.parse import parse
from stormwatch.settings import Settings
from stormwatch.testing.ports import memory_ports

BATCH, CHANGES, CALM = 200, 8, 1.0


def main() -> None:
    """Prints a table."""
    settings, who = Settings(), Who("benchmark", "a benchmark", 1)
    judge = MAKE["fraud"](settings)
    events: list[Any] = []
    for sent in islice(Transactions(1, run="b", customers=50), BATCH):
        assert sent.value is not None
        events.append(parse(sent.value, 1_900_000_000_000, future_skew_ms=300_000))
    states = {event.entity: judge.new_state() for event in events}
    made = [judge.advance(states[event.entity], event) for event in events]
    rows, carries = [row for row, _ in made], [carry for _, carry in made]
    calm: list[float] = []
    change: list[float] = []
    taken: list[float] = []
    with memory_ports() as ports, tempfile.TemporaryDirectory() as folder:
        ports.broker.create(settings.topic_control, 1, {})
        outside = Ports(
            lambda: ports.store, lambda: connect.source(settings, settings.topic_control)
        )  # fmt: skip
        follower = Follower(settings, "fraud", MAKE["fraud"], lambda one: one, outside, "b")
        with closing(follower):
            follower.get(60)

            def decide(into: list[float], until: Any) -> None:
                while not until():
                    began = time.perf_counter()
                    follower.get(1).decide(events, rows, carries)
                    into.append(time.perf_counter() - began)

            for number in range(CHANGES):
                place = Path(folder) / f"m{number}"
                shutil.copytree(SHIPPED, place)
                card = json.loads((place / "card.json").read_text()) | {"version": f"m{number}"}
                (place / "card.json").write_text(json.dumps(card))
                one = models.push(settings, ports.store, "fraud", place, who, "live")
                end = time.monotonic() + CALM
                decide(calm, lambda end=end: time.monotonic() > end)
                began = time.monotonic()
                changing.announce(settings, one)
                decide(change, lambda n=one.revision: follower.revisions.get("model") == n)
                taken.append(time.monotonic() - began)
    for name, some in (("before", calm), ("during", change)):
        p50, p99 = np.quantile(some, [0.5, 0.99]) * 1000
        print(f"{name}: {len(some)} batches of {BATCH}, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"in force after {np.median(taken):.2f} s (most {max(taken):.2f} s)")


if __name__ == "__main__":
    main()
