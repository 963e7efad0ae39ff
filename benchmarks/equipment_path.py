"""Cost of a reading of an equipment type of 20 sensors against a turbofan's, in the same run.

Record values are parsed, learned, decided and made rows for the store by the state contract, in
batches of 500. Both take turns; printed are microseconds of processor time a reading of each, at
their best, and the ratio (at most 1.1 is the aim).

    ./stormwatch bench equipment_path --records 20000
"""

# ruff: noqa: E402
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # as in a topology: before numpy is imported

import argparse
import json
import random
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from apps.data.generate.readings import readings
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

AT_ONCE = 500
UNITS = 50
NEVER_LATE = 10**13


def turbofans(count: int) -> list[bytes]:
    """Of the generator: 21 sensors each."""
    return [one.value for one in islice(readings(5, units=UNITS), count)]


def machines(count: int, sensors: int) -> list[bytes]:
    """Of the type `any`."""
    draw = random.Random(5)
    made = []
    for i in range(count):
        values = {f"sensor_{n}": round(draw.gauss(100 + n, 1 + n / 7), 4) for n in range(sensors)}
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_790_000_000 + 60 * (i // UNITS)))
        record = {
            "id": f"r-{i}", "unit": f"plant/line-{i % UNITS}", "time": at, "sensors": values,
            "equipment": "any",
        }  # fmt: skip
        made.append(json.dumps(record, separators=(",", ":")).encode())
    return made


def decided(domain: Any, values: list[bytes]) -> float:
    """Seconds of processor time for all of them: from record values to decisions and states."""
    contract = Contract(domain, Policy.of(Settings()), "bench")
    known: dict[str, Entry] = {}
    began = time.process_time()
    for start in range(0, len(values), AT_ONCE):
        parsed = Parsed(
            [
                (start + nth, NEVER_LATE, domain.parse(value, NEVER_LATE))
                for nth, value in enumerate(values[start : start + AT_ONCE])
            ],
            [],
            [],
        )
        fragment = Fragment("readings", 0, 1, start, start + len(parsed.events) - 1, 1, 0)
        units = {event.unit for _, _, event in parsed.events}
        states = {unit: known.get(unit) or Entry(0, b"") for unit in units}
        for row in contract.apply(fragment, parsed, states, NEVER_LATE).states:
            known[row.entity] = Entry(0, row.blob)
    return time.process_time() - began


def main() -> None:
    """Print both costs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--sensors", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    domain = Maintenance.load()
    feeds = {
        "turbofan": turbofans(options.records),
        f"any, {options.sensors} sensors": machines(options.records, options.sensors),
    }
    took: dict[str, list[float]] = {name: [] for name in feeds}
    work: Callable[[list[bytes]], float] = lambda values: decided(domain, values)  # noqa: E731
    for _ in range(options.rounds):
        for name, values in feeds.items():
            took[name].append(work(values) / options.records * 1e6)
    best = {name: min(each) for name, each in took.items()}
    for name, each in best.items():
        print(f"{name}: {each:.1f} us a reading")
    base, other = best.values()
    print(f"ratio {other / base:.2f}")


if __name__ == "__main__":
    main()
