"""Engines run to failure, to train and to measure with: C-MAPSS text, or our own simulator's.

Features are computed by the very code that the bolt runs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.data.generate.readings import HOUR, LIFE, START, Generated
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import MODEL_FEATURES, Normal, advance
from stormwatch.domains.maintenance.parse import parse
from stormwatch.domains.maintenance.sensors import ALL
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import SettingsError
from stormwatch.records import Rejection

Floats = NDArray[np.float64]

LIFE_CAP = 125.0
"""Remaining lives are capped here, cycles, in training and in test labels: the usual convention."""


class Unit(NamedTuple):
    """One engine's readings in order, and the cycles left after each, not capped."""

    readings: Sequence[Reading]
    left: Floats


class Engine(NamedTuple):
    """The model's features of each reading of one engine, and the label."""

    rows: Floats
    life: Floats  # cycles left, capped


def engine(unit: Unit, normal: Normal) -> Engine:
    """Through the streaming core, one reading after the other."""
    state = UnitState()
    rows = [advance(state, reading, normal)[: len(MODEL_FEATURES)] for reading in unit.readings]
    return Engine(np.array(rows), np.minimum(unit.left, LIFE_CAP))


def digest(engines: Iterable[Engine]) -> str:
    """Of all rows and labels."""
    found = sha256()
    for each in engines:
        found.update(each.rows.tobytes() + each.life.tobytes())
    return found.hexdigest()


def simulated(made: Iterator[Generated], count: int) -> list[Unit]:
    """The first `count` engines of a fleet of so many, each to its failure."""
    units: dict[str, list[tuple[Reading, int]]] = defaultdict(list)
    end = START + LIFE[1] * HOUR
    for one in made:
        reading = parse(one.value, end, future_skew_ms=HOUR)
        if isinstance(reading, Rejection):
            raise AssertionError(f"the simulator made what parse rejects: {reading.reason}")
        if reading.time >= end:
            break
        if int(reading.unit.rpartition("/")[2]) <= count:
            units[reading.unit].append((reading, one.life))
    return [
        Unit([reading for reading, _ in unit], np.array([left for _, left in unit], dtype=float))
        for unit in units.values()
    ]


def sets(folder: Path) -> list[str]:
    """Names of the C-MAPSS sets in a folder, such as FD001, in order."""
    return sorted(path.stem.removeprefix("train_") for path in folder.glob("train_*.txt"))


def run_to_failure(folder: Path, name: str) -> list[Unit]:
    """The training engines of a set. Raises SettingsError for a file that is not C-MAPSS text."""
    units = _units(_table(folder / f"train_{name}.txt", 26), f"{name}/train")
    return [Unit(unit, np.arange(len(unit), dtype=float)[::-1]) for unit in units]


def cut_before_failure(folder: Path, name: str) -> list[Unit]:
    """The test engines of a set, with what was left after each reading. Raises SettingsError."""
    units = _units(_table(folder / f"test_{name}.txt", 26), f"{name}/test")
    last = _table(folder / f"RUL_{name}.txt", 1).ravel()
    if len(units) != len(last):
        raise SettingsError(
            f"{folder / f'RUL_{name}.txt'} has {len(last)} lines for {len(units)} test engines."
        )
    return [
        Unit(unit, left + np.arange(len(unit), dtype=float)[::-1])
        for unit, left in zip(units, last, strict=True)
    ]


def _units(table: Floats, fleet: str) -> list[list[Reading]]:
    names = [sensor.name for sensor in ALL]
    return [
        [
            Reading(
                f"{row[0]:.0f}-{row[1]:.0f}", f"{fleet}/{row[0]:.0f}",
                START + int(row[1]) * HOUR, int(row[1]), tuple(row[2:5]),
                dict(zip(names, row[5:], strict=True)),
            )
            for row in table[table[:, 0] == number].tolist()
        ]
        for number in np.unique(table[:, 0])
    ]  # fmt: skip


def _table(path: Path, columns: int) -> Floats:
    try:
        table: Floats = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as C-MAPSS text: {error}") from error
    if table.shape[1] != columns:
        raise SettingsError(f"{path} has {table.shape[1]} columns; C-MAPSS text has {columns}.")
    return table
