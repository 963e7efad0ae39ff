"""How the cost of a record grows: a curve each, with its fitted exponent, as a table and a chart.

Microseconds of processor time a record in the core (parse, states, features, model, rules,
decisions, the ledger's bitmaps; no Storm, no services), the least of some rounds that take turns.
Against the number of keys, what a key's history holds, batch and record size, rules and model size.
With --storm also partitions, tasks and keys of the whole topology into Cassandra.

    ./stormwatch bench curves                      # the core's: a few minutes
    ./stormwatch bench curves --full               # up to a million keys, more rounds, written down
    ./stormwatch bench curves --storm --records 20000
"""

# ruff: noqa: E402
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # as in a topology: before numpy is imported

import argparse
import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.side_by_side.cores import Worked, payments, with_rules, with_trees
from benchmarks.side_by_side.growth import fitted
from benchmarks.side_by_side.scale_report import Curve, write
from stormwatch.settings import Settings
from stormwatch.state.processor import Policy

ROOT = Path(__file__).resolve().parents[1]
Ready = Callable[[], tuple[Worked, list[bytes]]]
BATCH, KEYS = 500, 5_000


class Point(NamedTuple):
    """One x of a curve: what makes ready what is measured, and the batch size."""

    x: int
    ready: Ready
    batch: int = BATCH


class Asked(NamedTuple):
    """A curve to be measured."""

    name: str
    of: str
    line: str
    points: Sequence[Point]


def known(keys: int, count: int, *, zipf: float = 0.0, padding: int = 0) -> "Point":
    """Of so many keys, each of which has a state."""

    def ready() -> tuple[Worked, list[bytes]]:
        worked = Worked()
        seen = [value.replace(b'"id":"', b'"id":"first-') for value in _each_once(keys)]
        worked.take(seen, 2_000)
        return worked, payments(count, keys, zipf=zipf, padding=padding)

    return Point(keys, ready)


def _each_once(keys: int) -> list[bytes]:
    values = payments(min(keys, 2_000), keys)
    made = []
    for nth in range(keys):  # one event of each, the content of some
        value = json.loads(values[nth % len(values)])
        value |= {"customer": f"c{nth}", "id": f"{nth}"}
        made.append(json.dumps(value, separators=(",", ":")).encode())
    return made


def with_history(events: int, count: int) -> Point:
    """Of 50 keys that have had so many events each; what a state holds is bounded."""

    def ready() -> tuple[Worked, list[bytes]]:
        worked, made = Worked(), payments(50 * events + count, 50)
        worked.take(made[: 50 * events], 2_000)
        return worked, made[50 * events :]

    return Point(events, ready)


def with_ids(most: int, count: int) -> Point:
    """Of 5 keys that remember so many ids: the horizon of duplicates."""

    def ready() -> tuple[Worked, list[bytes]]:
        policy = Policy.of(Settings(dedup_max_ids=most, dedup_horizon_s=10**8, lateness_s=10**8))
        worked, made = Worked(policy=policy), payments(5 * most + count, 5)
        worked.take(made[: 5 * most], 2_000)
        return worked, made[5 * most :]

    return Point(most, ready)


def curves(count: int, *, full: bool) -> list[Asked]:
    """All of the core's. `count`: records that are measured at a point."""
    keys = [1_000, 10_000, 100_000, *([300_000, 1_000_000] if full else [])]
    histories = [10, 100, 1_000, *([3_000] if full else [])]
    sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000]

    def fresh(n: int, *, padding: int = 0) -> Point:
        return Point(n, lambda: (Worked(), payments(count, KEYS, padding=padding)))

    def ruled(n: int) -> Point:
        return Point(n, lambda: (Worked(with_rules(n)), payments(count, KEYS)))

    def modelled(n: int) -> Point:
        return Point(n, lambda: (Worked(with_trees(n)), payments(count, KEYS)))

    return [
        Asked("keys", "keys", "equally often", [known(each, count) for each in keys]),
        Asked("keys", "keys", "by Zipf's law", [known(each, count, zipf=1.0) for each in keys]),
        Asked("history", "earlier events of a key", "",
              [with_history(n, count) for n in histories]),
        Asked("horizon", "ids that a key remembers", "",
              [with_ids(n, count) for n in (64, 256, 1_024, 4_096)]),
        Asked("batch", "records of a batch", "", [fresh(n)._replace(batch=n) for n in sizes]),
        Asked("record", "bytes of a record beyond 180", "",
              [fresh(n, padding=n) for n in (100, 300, 1_000, 3_000, 10_000)]),
        Asked("rules", "rules", "", [ruled(n) for n in (1, 10, 50, 100, 200)]),
        Asked("model", "trees of 16 leaves", "", [modelled(n) for n in (1, 30, 100, 300, 1_000)]),
    ]  # fmt: skip


def measured(asked: Asked, rounds: int) -> Curve:
    """The least of some rounds for each point; all points of a round before the next one."""
    least: dict[int, float] = {}
    ready = [(point, *point.ready()) for point in asked.points]
    share = max(1, rounds)
    for nth in range(rounds):
        for point, worked, values in ready:
            part = len(values) // share  # each record once: a second time it were a duplicate
            gc.collect()
            cost = worked.take(values[nth * part : (nth + 1) * part], point.batch)
            least[point.x] = min(least.get(point.x, cost), cost)
    points = sorted(least.items())
    return Curve(asked.name, asked.of, asked.line, points, fitted(points))


def main() -> None:
    """Print the table; with --full write it down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, help="at each point: 6,000; with --full 20,000")
    parser.add_argument("--rounds", type=int, help="3; with --full 10")
    parser.add_argument("--only", nargs="+", help="curves whose names begin so")
    parser.add_argument("--storm", action="store_true", help="the whole topology's, too")
    parser.add_argument("--full", action="store_true", help="further, and into docs/reports")
    parser.add_argument("--out", type=Path, help="folder to write to")
    options = parser.parse_args()
    count = options.records or (20_000 if options.full else 6_000)
    rounds = options.rounds or (10 if options.full else 3)
    out = options.out or (ROOT / "docs" / "reports" if options.full else None)
    found = []
    for asked in curves(count, full=options.full):
        if options.only and not asked.name.startswith(tuple(options.only)):
            continue
        found.append(measured(asked, rounds))
        print(found[-1].told(), file=sys.stderr, flush=True)
    if options.storm:
        from benchmarks.side_by_side import storm_curves

        found += storm_curves.measured(count, full=options.full, only=options.only or ())
    command = " ".join(["./stormwatch bench curves", *sys.argv[1:]])
    print(write(found, command, out))


if __name__ == "__main__":
    main()
