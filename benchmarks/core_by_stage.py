"""What a record costs in the core, by stage: on one core, in batches, without Storm and stores.

Microseconds of processor time a record; see `apps.operate.core_cost`. The last column is all but
parsing.

    ./stormwatch bench core_by_stage --records 20000
    ./stormwatch bench core_by_stage --cores turbofan --batch 5
"""

# ruff: noqa: E402
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # as in a topology: before numpy is imported

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from apps.data.generate.transactions import Transactions
from apps.operate.core_cost import STAGES, cost
from benchmarks.equipment_path import machines, turbofans
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.records import Record
from stormwatch.settings import Settings, load

ROOT = Path(__file__).parents[1]
FAR = 10**10  # s: no event is in the future
MS = 1_950_000_000_000


def payments(count: int) -> list[bytes]:
    """Ten of each customer."""
    made = Transactions(1, run="bench", customers=max(10, count // 10))
    return [one.value for one in islice(iter(made), count)]


CORES: dict[str, tuple[Callable[[Settings], Any], Callable[[int], list[bytes]]]] = {
    "fraud": (Fraud.from_settings, payments),
    "turbofan": (Maintenance.from_settings, turbofans),
    "any": (Maintenance.from_settings, partial(machines, sensors=20)),
}


def main() -> None:
    """Print a line a core."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", nargs="*", default=list(CORES), choices=list(CORES))
    options = parser.parse_args()
    settings = replace(load(root=ROOT), future_skew_s=FAR)
    print("µs a record" + "".join(f"{stage:>17}" for stage in (*STAGES, "to decide")))
    for name in options.cores:
        make, events = CORES[name]
        records = [Record(at, MS, None, each) for at, each in enumerate(events(options.records))]
        found = cost(make(settings), records, options.batch, options.rounds)
        whole = sum(found.values()) - found["parse"]
        print(f"{name:<11}" + "".join(f"{each:>17.1f}" for each in (*found.values(), whole)))


if __name__ == "__main__":
    main()
