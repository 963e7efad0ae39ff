"""What a record costs in the core, by stage: on one core, in batches, without Storm and stores.

Record values are parsed and decided by the state contract, from states as they are stored to
states as they are stored. Printed are microseconds of processor time a record; of several rounds
over the same records the least of each batch counts, so that other work on the machine shows
little. `contract` is what is left: marks, ids, lateness, the ledger's bitmaps.

    ./stormwatch bench core_by_stage --records 20000
    ./stormwatch bench core_by_stage --cores turbofan --batch 5
"""

import argparse
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from apps.data.generate.transactions import Transactions
from benchmarks.equipment_path import machines, turbofans
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state import processor
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

FAR = 10**15
MS = 1_950_000_000_000
STAGES = ("parse", "open", "features", "model and rules", "decision", "close", "contract")


def _payments(count: int) -> list[bytes]:
    made = Transactions(1, run="bench", customers=max(10, count // 10))
    return [one.value for one in islice(iter(made), count)]


CORES: dict[str, tuple[Callable[[Settings], Any], Callable[[int], list[bytes]]]] = {
    "fraud": (Fraud.from_settings, _payments),
    "turbofan": (Maintenance.from_settings, turbofans),
    "any, 20 sensors": (Maintenance.from_settings, partial(machines, sensors=20)),
}


class Clock:
    """Adds up the processor time of what it wraps, by stage; its own is taken off."""

    def __init__(self) -> None:
        self._inside = self._outside = 0.0
        self.reset()
        for _ in range(3):  # the cost of looking at the clock, seen from inside and from outside
            self.reset()
            empty = self.over("parse", lambda: None)
            began = time.process_time()
            for _ in range(2_000):
                empty()
            outside, inside = time.process_time() - began, self.spent["parse"]
        self._inside, self._outside = inside / 2_000, outside / 2_000

    def reset(self) -> None:
        self.spent, self.overhead = dict.fromkeys(STAGES, 0.0), 0.0

    def over(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, timed."""

        def timed(*args: Any) -> Any:
            began = time.process_time()
            try:
                return work(*args)
            finally:
                self.spent[stage] += time.process_time() - began - self._inside
                self.overhead += self._outside

        return timed


def rounds(domain: Any, values: list[bytes], batch: int) -> list[dict[str, float]]:
    """Of one pass over the records, for each batch of its second half: seconds by stage."""
    contract = Contract(domain, Policy.of(Settings()), "bench")
    clock = Clock()
    codec = contract._codec
    codec.encode = clock.over("close", codec.encode)  # type: ignore[method-assign]
    codec.decode = clock.over("open", codec.decode)  # type: ignore[method-assign]
    domain.decide = clock.over("model and rules", domain.decide)
    domain.advance = clock.over("features", domain.advance)
    json, processor._json = processor._json, clock.over("decision", processor._json)
    records = [Record(nth, MS, None, value) for nth, value in enumerate(values)]
    known: dict[str, Entry] = {}
    found = []
    try:
        for first in range(0, len(records), batch):
            clock.reset()
            some = records[first : first + batch]
            fragment = Fragment("bench", 0, 2048, first, first + len(some) - 1, 1, 0)
            began = time.process_time()
            parsed, _ = parse_batch(
                fragment, some, domain.parse, component="bench", record_max_bytes=65_536, now=MS
            )
            clock.spent["parse"] = time.process_time() - began
            names = {event.entity for _, _, event in parsed.events}
            states = {name: known.get(name) or Entry(0, b"") for name in names}
            began = time.process_time()
            outcomes = contract.apply(fragment, parsed, states, MS)
            whole = time.process_time() - began - clock.overhead
            clock.spent["contract"] = whole - sum(clock.spent[stage] for stage in STAGES[1:])
            if 2 * first >= len(records):
                found.append(clock.spent)
            known |= {row.entity: Entry(row.stripe, row.blob) for row in outcomes.states}
    finally:
        processor._json = json
        del domain.decide, domain.advance
    return found


def least(passes: Sequence[list[dict[str, float]]]) -> dict[str, float]:
    """By stage the sum over batches of the least of several passes."""
    return {
        stage: sum(min(each[stage] for each in batches) for batches in zip(*passes, strict=True))
        for stage in STAGES
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
    print(f"{'µs a record':<16}" + "".join(f"{stage:>17}" for stage in (*STAGES, "decide")))
    for name in options.cores:
        make, events = CORES[name]
        domain, values = make(Settings(future_skew_s=FAR)), events(options.records)
        passes = [rounds(domain, values, options.batch) for _ in range(options.rounds)]
        count = sum(1 for n in range(0, options.records, options.batch) if 2 * n >= options.records)
        costs = {
            stage: spent / (count * options.batch) * 1e6 for stage, spent in least(passes).items()
        }
        whole = sum(costs.values()) - costs["parse"]
        print(f"{name:<16}" + "".join(f"{cost:>17.1f}" for cost in (*costs.values(), whole)))


if __name__ == "__main__":
    main()
