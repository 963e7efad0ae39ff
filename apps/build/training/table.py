"""Feature rows as a CSV file, to train any model on: computed by the code of the stream."""

import csv
import gzip
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from apps.build.training.payments import Core, Labelled
from stormwatch.domains.fraud import Fraud


class Written(NamedTuple):
    """What a file has."""

    rows: int
    frauds: int


def write(path: Path, source: Iterable[Labelled], judge: Fraud | None = None) -> Written:
    """Payments in order of time: `entity` (a number), `time` (ms), `label` (1: a fraud), features.

    One pass; numbers are written so that they are read back as they are.
    """
    core, numbers, fresh = Core(judge=judge), dict[str, int](), count()
    names = (judge or Fraud()).feature_names
    opened = gzip.open if path.suffix == ".gz" else open
    rows = frauds = 0
    with opened(path, "wt", encoding="ascii", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("entity", "time", "label", *names))
        for event, label in source:
            row = core.row(event, fraud=label > 0)
            if event.customer not in numbers:
                numbers[event.customer] = next(fresh)
            is_fraud = int(label > 0)
            lines.writerow((numbers[event.customer], event.time, is_fraud, *row))
            rows, frauds = rows + 1, frauds + is_fraud
    return Written(rows, frauds)
