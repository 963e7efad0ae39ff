"""Feature rows as a CSV file, to train any model on: computed by the code of the stream."""

import csv
import gzip
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple, TextIO

from apps.build.training.own_machines import Rows
from apps.build.training.payments import Core, Labelled
from stormwatch.domains.fraud import Fraud

HEAD = ("entity", "time", "label")
"""Columns before those of the features."""


class Written(NamedTuple):
    """What a file has."""

    rows: int
    frauds: int  # or readings that speak of a failure


def write(path: Path, source: Iterable[Labelled], judge: Fraud | None = None) -> Written:
    """Payments in order of time: `entity` (a number), `time` (ms), `label` (1: a fraud), features.

    One pass; numbers are written so that they are read back as they are.
    """
    core, numbers, fresh = Core(judge=judge), dict[str, int](), count()
    names = (judge or Fraud()).feature_names
    rows = frauds = 0
    with _opened(path) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow((*HEAD, *names))
        for event, label in source:
            row = core.row(event, fraud=label > 0)
            if event.customer not in numbers:
                numbers[event.customer] = next(fresh)
            is_fraud = int(label > 0)
            lines.writerow((numbers[event.customer], event.time, is_fraud, *row))
            rows, frauds = rows + 1, frauds + is_fraud
    return Written(rows, frauds)


def write_readings(path: Path, rows: Rows, names: Sequence[str]) -> Written:
    """The same of readings: `label` is 1 of one that speaks of a failure."""
    with _opened(path) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow((*HEAD, *names))
        for unit, time, failing, row in zip(
            rows.unit.tolist(), rows.time.tolist(), rows.failing.tolist(), rows.features.tolist(),
            strict=True,
        ):  # fmt: skip
            lines.writerow((unit, time, int(failing), *row))
    return Written(len(rows.failing), int(rows.failing.sum()))


def _opened(path: Path) -> TextIO:
    opened: Callable[..., TextIO] = gzip.open if path.suffix == ".gz" else open
    return opened(path, "wt", encoding="ascii", newline="")
