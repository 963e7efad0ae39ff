"""A person's own readings with failures, as rows of what the model of their equipment type sees.

Computed by the code of the stream. Labels are a column of the data, which says of each reading
whether it speaks of a failure (1, true, yes, …), or a CSV file with the columns `unit` and `time`:
when each unit failed, ISO 8601, UTC where nothing else is said. With a file a reading is labelled
that comes no longer than `within` before a failure of its unit; of those of the end of the data,
after which it is not known, nothing is learned.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.build.training.own_data import cell, read
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.equipment import Equipment, Types
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.failures import Failures
from stormwatch.domains.maintenance.parse import Readings
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import SettingsError
from stormwatch.models import NoModel
from stormwatch.parsing.mapping import made

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HOUR_MS = 3_600_000


class Rows(NamedTuple):
    """What the model sees, a row a reading, in order of time."""

    features: Floats
    failing: Flags
    time: Ints  # ms
    unit: Ints  # numbered as they come

    def where(self, kept: Flags) -> "Rows":
        """Those rows."""
        return Rows(self.features[kept], self.failing[kept], self.time[kept], self.unit[kept])

    @property
    def day(self) -> Ints:
        """Of each row, UTC."""
        return self.time // (24 * HOUR_MS)

    @property
    def failure(self) -> Ints:
        """Of each row the number of the failure that it speaks of, from 1 on, else 0: a stretch of
        labelled readings of a unit without another one between them is one failure."""
        order = np.lexsort((self.time, self.unit))
        failing, unit = self.failing[order], self.unit[order]
        begins = failing.copy()
        begins[1:] &= ~(failing[:-1] & (unit[1:] == unit[:-1]))
        found = np.empty(len(order), dtype=np.int64)
        found[order] = np.cumsum(begins) * failing
        return found

    @property
    def units_a_day(self) -> float:
        """Units that a day has readings of, on average."""
        days = np.unique(np.column_stack([self.day, self.unit]), axis=0)[:, 0]
        return len(days) / len(np.unique(days))


def rows(data: Path, mapping: str, labels: str, types: Types, within_h: float) -> Rows:
    """Of the readings of the first of `types`. Raises SettingsError, MappingError and FileError."""
    kind = types.default
    if kind.failure is None:
        raise SettingsError(
            f"The equipment type {kind.name} does not say what a model sees. Add to its file: "
            f'model = "failure", and [failure] with features = [{_some(kind)}] and model = the '
            "folder that --out names."
        )
    file = Path(labels)
    failed = _failures(file) if file.is_file() else None
    found = _read(data, mapping, Readings(types), "" if failed is not None else labels)
    strange = sorted({one.equipment for one, _ in found} - {kind.name})
    if strange:
        raise SettingsError(
            f"Readings of {data} are of the type {strange[0] or 'that is the default'}; name "
            f'equipment = "{kind.name}" in the mapping {mapping}.'
        )
    return _computed(found, failed, types, within_h)


def _some(kind: Equipment) -> str:
    sensors = [name for name, one in kind.sensors.items() if one.role != "counter"]
    return ", ".join(f'"{name}"' for name in sensors) or "names of sensors"


def _read(data: Path, mapping: str, readings: Readings, column: str) -> list[tuple[Reading, int]]:
    """In order of time."""

    def row(record: int, value: bytes, event: Any) -> tuple[Reading, int]:
        assert isinstance(event, Reading)
        return event, cell(value, column, record) if column else 0

    found = read(data, mapping, made(mapping, readings.target), row)
    found.sort(key=lambda one: (one[0].time, one[0].unit, one[0].id))
    return found


def _computed(
    read: Sequence[tuple[Reading, int]], failed: dict[str, list[int]] | None, types: Types,
    within_h: float,
) -> Rows:  # fmt: skip
    name, within = types.default.name, int(within_h * HOUR_MS)
    domain = Maintenance(
        NoModel(), types=types, failures={name: Failures(types.default, NoModel())}
    )
    states, numbers = dict[str, UnitState](), dict[str, int]()
    features, failing = list[tuple[float, ...]](), list[bool]()
    time, unit = list[int](), list[int]()
    known_until = read[-1][0].time - within
    for event, label in read:
        state = states.setdefault(event.unit, domain.new_state())
        _, carry = domain.advance(state, event)
        inputs = getattr(carry, "inputs", None)
        if inputs is None:
            continue
        if failed is not None:
            ahead = (at - event.time for at in failed.get(event.unit, ()))
            is_failing = any(0 <= left <= within for left in ahead)
            if not is_failing and event.time > known_until:
                continue
        else:
            is_failing = label > 0
        features.append(inputs)
        failing.append(is_failing)
        time.append(event.time)
        unit.append(numbers.setdefault(event.unit, len(numbers)))
    if not features:
        raise SettingsError("No reading has all that the type's `failure.features` names.")
    if not any(failing):
        raise SettingsError(
            f"None of {len(failing):,} readings speaks of a failure by the labels: are units and "
            "times those of the data, and is --within, hours, long enough?"
        )
    return Rows(
        np.array(features), np.array(failing, dtype=np.bool_), np.array(time), np.array(unit)
    )


def _failures(path: Path) -> dict[str, list[int]]:
    """Of each unit when it failed, ms."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            table = csv.DictReader(lines)
            if not {"unit", "time"} <= set(table.fieldnames or ()):
                raise SettingsError(f"{path} needs the columns unit and time in its header.")
            found = defaultdict[str, list[int]](list)
            for line, row in enumerate(table, 2):
                found[row["unit"]].append(_ms(row["time"], f"{path}, line {line}"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as CSV: {error}.") from error
    return dict(found)


def _ms(text: str, where: str) -> int:
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SettingsError(
            f"{where} says {text!r}; a time is such as 2026-03-02T08:00:00Z."
        ) from error
    return int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)
