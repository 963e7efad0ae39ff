"""Working conditions, found in the settings of a fleet's readings, and what is normal in each.

Each setting is parted where no reading is within a twentieth of its range; every combination of
parts that was seen is a group. Groups of which no sensor's mean differs by a standard deviation are
one condition: gaps in a setting that jitters around one value are none of the machine's. What is
normal is of healthy readings: those with more life left than is ever estimated, or, where a
condition has too few, all.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.build.training.engines import LIFE_CAP, Unit
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.errors import SettingsError
from stormwatch.models.conditions import Condition, Conditions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GAP = 0.05
"""Of a setting's range; where nothing was seen over so much of it, it is parted."""
FEWEST = 100
"""Readings that a condition is made of at least; rarer ones stay unknown."""
MOST = 64
"""Conditions. Settings that vary continuously are not parted into any."""
REACH = 4.0
"""A condition reaches so many times as far from its middle as was seen."""
_LEAST_REACH = 0.005  # of the middle itself
_NAMES = tuple(sensor.name for sensor in WEARING)


def discover(units: Sequence[Unit]) -> Conditions:
    """The conditions of a training fleet, the most frequent first.

    In a single one the normal is that of the equipment type, so that what units have learned
    carries on from model to model. Raises SettingsError for more than MOST conditions.
    """
    settings = np.array([r.settings for unit in units for r in unit.readings], dtype=float)
    sensors = np.array(
        [[r.sensors[name] for name in _NAMES] for unit in units for r in unit.readings]
    )
    healthy = np.concatenate([unit.left for unit in units]) > LIFE_CAP
    group = _merged(_groups(settings), sensors, healthy)
    numbers, counts = np.unique(group, return_counts=True)
    kept = [int(n) for n, c in sorted(zip(numbers, counts, strict=True), key=lambda one: -one[1])
            if c >= min(FEWEST, counts.max())]  # fmt: skip
    if len(kept) > MOST:
        raise SettingsError(
            f"The readings were made in {len(kept)} working conditions; at most {MOST} can be told "
            "apart. Settings have to be stable values, not measurements that go everywhere."
        )
    typical = np.array([sensors[_of(group, n, healthy)].std(axis=0) for n in kept])
    floor = np.maximum(0.1 * np.median(typical, axis=0), 1e-9)
    known = []
    for number, spread in zip(kept, typical, strict=True):
        own = settings[group == number]
        low, high = own.min(axis=0), own.max(axis=0)
        middle = (low + high) / 2
        reach = np.maximum(REACH * (high - low) / 2, _LEAST_REACH * np.abs(middle) + 1e-6)
        nominal, noise = sensors[_of(group, number, healthy)].mean(axis=0), spread.clip(floor)
        if len(kept) == 1:
            nominal = np.array([sensor.nominal for sensor in WEARING])
            noise = np.array([sensor.noise for sensor in WEARING])
        share = round(len(own) / len(settings), 6)
        known.append(Condition(_told(middle), _told(reach), _told(nominal), _told(noise), share))
    return Conditions(_NAMES, tuple(known))


def pooled(units: Sequence[Unit]) -> Conditions:
    """All readings as if in one condition: what is known of them without their settings."""
    sensors = np.array(
        [[r.sensors[name] for name in _NAMES] for unit in units for r in unit.readings]
    )
    normal = _told(sensors.mean(axis=0)), _told(sensors.std(axis=0).clip(1e-9))
    return Conditions(_NAMES, (Condition((), (), *normal, 1.0),))


def _told(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.9g}") for value in values)


def _of(group: Ints, number: int, healthy: NDArray[np.bool_]) -> NDArray[np.bool_]:
    own: NDArray[np.bool_] = group == number
    return own & healthy if np.count_nonzero(own & healthy) >= FEWEST else own


def _groups(settings: Floats) -> Ints:
    """Of each row the number of its combination of parts."""
    if not settings.shape[1]:
        return np.zeros(len(settings), dtype=np.int64)
    parts = [_parts(column) for column in settings.T]
    return np.unique(np.column_stack(parts), axis=0, return_inverse=True)[1].ravel()


def _parts(column: Floats) -> Ints:
    values, at = np.unique(column, return_inverse=True)
    apart = np.diff(values) > GAP * (values[-1] - values[0])
    return np.concatenate(([0], np.cumsum(apart)))[at.ravel()]


def _merged(group: Ints, sensors: Floats, healthy: NDArray[np.bool_]) -> Ints:
    """Groups whose sensors do not differ become one, the largest first."""
    numbers, counts = np.unique(group, return_counts=True)
    means: list[tuple[int, Floats, Floats]] = []  # number, mean, spread of each that stands
    merged = group.copy()
    for number in numbers[np.argsort(-counts, kind="stable")]:
        own = sensors[_of(group, int(number), healthy)]
        mean, spread = own.mean(axis=0), own.std(axis=0)
        for other, theirs, width in means:
            sigma = np.maximum(np.maximum(width, spread), 1e-9)
            if (np.abs(mean - theirs) < sigma).all():
                merged[group == number] = other
                break
        else:
            means.append((int(number), mean, spread))
    return merged
