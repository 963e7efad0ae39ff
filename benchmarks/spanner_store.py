"""The store on Spanner beside that on Cassandra: the same batches in turn, in one run.

./stormwatch up          # Cassandra, with store = "cassandra"
STORMWATCH_SPANNER_EMULATOR=127.0.0.1:9010 python -m benchmarks.spanner_store
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cassandra_batches import Batches, measured, store_writes
from stormwatch.adapters import connect
from stormwatch.partitioner import stripe_of
from stormwatch.ports import AtomicStore
from stormwatch.records import Outcomes, StateRow
from stormwatch.settings import SPANNER, Settings, load

ROOT = Path(__file__).parents[1]


def opened(settings: Settings) -> Any:
    """A store with its tables."""
    tables = connect.tables(settings)
    tables.apply(settings, ROOT / tables.files, lambda step, said: None)
    return connect.archive(settings)


def write(store: Any, batches: list[Outcomes]) -> None:
    """As the store step does."""
    if isinstance(store, AtomicStore):
        for o in batches:
            store.commit([o])
    else:
        store_writes(store, batches)


def main() -> None:
    """Rows a second of writing batches and of loading states, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    mine = replace(load(root=ROOT), cassandra_keyspace="bench", layout_stripes=64)
    other = replace(
        mine, store=SPANNER, spanner_project=mine.spanner_project or "bench",
        spanner_instance=mine.spanner_instance or "bench", spanner_database="bench",
    )  # fmt: skip
    stores = {"Cassandra": opened(mine), "Spanner": opened(other)}
    compare(stores, options.records, options.rounds)
    for store in stores.values():
        store.close()


def compare(stores: dict[str, Any], records: int, rounds: int) -> None:
    """Print the medians of both, in turn on the same batches."""
    source = Batches(20_000, 64, 1)
    states = [
        StateRow(stripe_of(e, 64), e, source.blob(400), 1) for e in source.entities[0][:5_000]
    ]
    asked: dict[int, list[str]] = {}
    for row in states:
        asked.setdefault(row.stripe, []).append(row.entity)
    for store in stores.values():
        store.write_states("cold", states)
    for size in (1000, 100):
        rates: dict[str, list[float]] = {name: [] for name in stores}
        for _ in range(rounds):
            batches = source.make(records, size)
            rows = sum(len(o.decisions) + len(o.states) for o in batches)
            for name, store in stores.items():
                wall, _ = measured(lambda: write(store, batches))  # noqa: B023 - called at once
                rates[name].append(rows / wall)
        _tell(f"write, {size} records a batch", rates)
    rates = {name: [] for name in stores}
    for _ in range(rounds):
        for name, store in stores.items():
            wall, _ = measured(lambda: store.load_states("cold", asked))  # noqa: B023 - at once
            rates[name].append(len(states) / wall)
    _tell("load states", rates)


def _tell(what: str, rates: dict[str, list[float]]) -> None:
    middle = {name: statistics.median(some) for name, some in rates.items()}
    told = ", ".join(f"{name} {rate:,.0f} rows/s" for name, rate in middle.items())
    print(f"{what}: {told}; ratio {middle['Spanner'] / middle['Cassandra']:.2f}", flush=True)


if __name__ == "__main__":
    main()
