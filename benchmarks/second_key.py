"""What the second key costs: the fraud topology into Cassandra with and without it, in turn.

    ./stormwatch bench second_key --records 60000

Printed are records/s and microseconds of processor time a record of all of its processes, of
Kafka's and Cassandra's; the ratio by processor time holds on a busy machine, too.
"""

# ruff: noqa: E402
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before numpy is imported, here and in children

import argparse
import statistics
import time
from collections.abc import Mapping

from benchmarks.peers import fill, say
from benchmarks.side_by_side.catalogue import CASSANDRA, Contender
from benchmarks.side_by_side.measures import Bench, backlog
from benchmarks.side_by_side.own_services import own_services

KINDS = {"without": "0", "with": "1"}
"""Of `topology.terminals`."""
TOPOLOGY = Contender("fraud topology", "topology", into=CASSANDRA)


def main() -> None:
    """Print each run and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--uniform", action="store_true", help="all customers equally often")
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with own_services(lambda step, detail: say(f"{step}: {detail}")) as services:
        _compared(services, options)


def _compared(services: Mapping[str, int], options: argparse.Namespace) -> None:
    stamp = f"{int(time.time()):x}"
    taken = fill(Bench(services, stamp), "fraud", f"second-{stamp}", options)
    cost, rate = [], []
    for nth in range(options.runs):
        runs = {}
        for kind, tasks in KINDS.items():
            bench = Bench(services, stamp, more={"topology.terminals": tasks})
            # What is known of a terminal depends on when it was read: no bytes are compared.
            run = backlog(bench, TOPOLOGY, f"{kind}{nth}", f"second-{stamp}", taken, None)
            parts = ", ".join(f"{name} {us:.0f}" for name, us in sorted(run.cpu_us.items()))
            say(
                f"{kind}: {run.wrong or f'{run.rate:,.0f} records/s, {run.all_us:.0f} µs: {parts}'}"
            )
            runs[kind] = run
        if not any(run.wrong for run in runs.values()):
            cost.append(runs["with"].all_us / runs["without"].all_us)
            rate.append(runs["with"].rate / runs["without"].rate)
    if cost:
        print(f"with / without: processor time {statistics.median(cost):.2f}, records/s "
              f"{statistics.median(rate):.2f} ({len(cost)} runs)")  # fmt: skip


if __name__ == "__main__":
    main()
