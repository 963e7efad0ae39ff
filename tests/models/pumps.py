"""Generated pumps that fail, as a person has them: files of readings, failures, mapping, type."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPE = """name = "pump"
model = "failure"
words = "centrifugal pump"
[sensors.vibration]
unit = "mm/s"
words = "vibration velocity"
[sensors.pressure]
unit = "bar"
[failure]
features = ["vibration", "pressure"]
over = [6, 24]
model = "models/pump"
"""
MAPPING = """event = "readings"
equipment = "pump"
[fields.unit]
path = "pump_id"
[fields.time]
path = "time"
form = "rfc3339"
[fields.id]
hash = ["pump_id", "time"]
[sensors]
vibration = "vibration"
pressure = "pressure"
"""


class Files(NamedTuple):
    """Of one folder."""

    data: Path
    failures: Path
    mapping: Path
    kind: Path


def write(folder: Path, units: int = 20, hours: int = 280) -> Files:
    """A reading an hour of each pump; vibration rises over the last 30 before each failure."""
    draw = np.random.default_rng(1)
    rows, failures = [], []
    for unit in range(units):
        usual = draw.normal([0.2, 4.1], [0.02, 0.1])
        fails = int(draw.uniform(45, 90))
        for hour in range(hours):
            wear = max(0.0, (30 - (fails - hour)) / 30)
            value = usual + draw.normal(0, [0.01, 0.04]) + np.array([0.1, 0.0]) * wear**2
            when = START + timedelta(hours=hour)
            is_bad = int(fails - hour <= 24)
            rows.append((when.isoformat(), f"P-{unit}", *np.round(value, 4).tolist(), is_bad))
            if hour == fails:
                failures.append((f"P-{unit}", (when + timedelta(minutes=5)).isoformat()))
                fails = hour + int(draw.uniform(45, 90))
    rows.sort()
    found = Files(*(folder / name for name in ("p.csv", "f.csv", "m.toml", "pump.toml")))
    for path, head, lines in (
        (found.data, ("time", "pump_id", "vibration", "pressure", "failing"), rows),
        (found.failures, ("unit", "time"), failures),
    ):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *lines])
    found.mapping.write_text(MAPPING)
    found.kind.write_text(TYPE)
    return found
