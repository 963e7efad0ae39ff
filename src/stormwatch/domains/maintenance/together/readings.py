"""Readings of several turbofans, one of each, learned at once; see `features` beside this folder.

To the bit a unit comes to what `features.advance` makes of it alone, with the look at its sensors'
health before it.
"""

from collections.abc import Sequence
from math import nan

import numpy as np

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    ELSEWHERE_SPAN,
    FARTHEST,
    FEATURES,
    HIGH,
    LOW,
    TENTHS,
    told,
)
from stormwatch.domains.maintenance.health.wearing import Found
from stormwatch.domains.maintenance.memory import (
    BASELINE,
    MEANS,
    MID,
    MOST,
    NAMES,
    NOW,
    SETTLED,
    SQUARES,
    STUCK_AFTER,
    THEN,
    Flags,
    Floats,
    Normal,
)
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.domains.maintenance.together import health
from stormwatch.domains.maintenance.together.units import Units, body_of, expected, is_of, learn
from stormwatch.models.conditions import UNKNOWN

_N = len(NAMES)
_LOW, _HIGH = np.array(LOW), np.array(HIGH)
_PLACES = {name: place for place, name in enumerate(NAMES)}
_M, _F, _B, _S, _G, _ZERO = range(6)  # means of the index as they are kept, and a 0
_LEFT = [_F, _M, _S, _F, _M, _S, _F, _M, _F, _G, _M, _S]
_RIGHT = [_ZERO, _ZERO, _ZERO, _B, _B, _B, _S, _S, _M, _ZERO, _G, _G]
"""The features of the index are these means less those."""

Row = tuple[float, ...]


def advance_all(
    states: Sequence[UnitState], readings: Sequence[Reading], normal: Normal
) -> list[tuple[Row, Found | None]]:
    """Learn a reading of each of several units, no two of one, which follows what the unit has
    learned: its features, but for the sensors that are at fault, and what is wrong with these.

    Raises StateError where a version with another layout wrote a state.
    """
    conditions = [normal.find(reading) for reading in readings]
    alike: dict[bool, list[int]] = {}
    for at, condition in enumerate(conditions):
        alike.setdefault(condition != UNKNOWN, []).append(at)
    made: dict[int, tuple[Row, Found | None]] = {}
    for is_known, places in alike.items():
        some = _Some(
            [states[at] for at in places], [readings[at] for at in places],
            [conditions[at] for at in places] if is_known else [], normal,
        )  # fmt: skip
        if is_known:
            some.look()
        made |= zip(places, some.advance(), strict=True)
    return [made[at] for at in range(len(states))]


class _Some:
    """Units with a reading each, in conditions that are known all or none."""

    def __init__(
        self, states: list[UnitState], readings: list[Reading], conditions: list[int],
        normal: Normal,
    ) -> None:  # fmt: skip
        """`conditions`: none, where they are not known."""
        self._states, self._readings = states, readings
        self._conditions, self._normal = conditions, normal
        measured = [told(reading.sensors) for reading in readings]
        self._values = np.array(measured)
        self._found: list[Found | None] = [None] * len(states)
        self._units = Units([
            body_of(state.body, own, normal, reading.unit)
            for state, own, reading in zip(states, measured, readings, strict=True)
        ])  # fmt: skip

    def look(self) -> None:
        """Look at the sensors' health; take those that are at fault out of the readings."""
        known = expected(self._units, self._normal, self._conditions)
        is_known = known.is_known & [is_of(state.body, self._normal) for state in self._states]
        healths = [state.health for state in self._states]
        sensors = [reading.sensors for reading in self._readings]
        for at, found in health.look(
            healths, sensors, self._values, known._replace(is_known=is_known)
        ):
            self._states[at].health = found.body
            self._values[at, [_PLACES[name] for name in found.out]] = nan
            if found.named or found.absent:
                self._found[at] = found

    def advance(self) -> list[tuple[Row, Found | None]]:
        """Learn the readings; the features with them, and what is wrong with the sensors."""
        units, values, conditions = self._units, self._values, self._conditions
        works = (values >= _LOW) & (values <= _HIGH)
        if conditions:
            centre, scale = self._normal.centre[conditions], self._normal.scale[conditions]
            z = (values - centre) * scale
            works &= np.abs(z) <= FARTHEST  # farther wear never brings them
        np.minimum(units.known + 1.0, MOST, out=units.known)
        weight = np.maximum(2.0 / (ELSEWHERE_SPAN + 1), 1.0 / units.known)
        away = 0.0 if conditions else 1.0
        units.elsewhere += weight * (away - units.elsewhere)
        if conditions:
            learn(units, values, works, z)
        bodies = units.packed()
        for state, reading, body in zip(self._states, self._readings, bodies, strict=True):
            if reading.cycle < state.cycle:
                state.offset += state.cycle
            state.time, state.cycle, state.body = reading.time, reading.cycle, body
        ages = [
            state.offset + reading.cycle
            for state, reading in zip(self._states, self._readings, strict=True)
        ]
        rows = _features(units, works, ages, conditions or UNKNOWN)
        return [*zip(map(tuple, rows.tolist()), self._found, strict=True)]


def _features(
    units: Units, works: Flags, ages: Sequence[int], conditions: Sequence[int] | int
) -> Floats:
    rows, counts = units.rows, units.counts
    squares, own = rows[:, SQUARES], np.minimum(counts, BASELINE)
    sigma = squares / (own + float(BASELINE))
    if (settled := (counts == SETTLED).all(axis=1)).any():
        np.copyto(sigma, squares * (0.5 / BASELINE), where=settled[:, None])
    np.sqrt(sigma, out=sigma)
    drift = rows[:, NOW] - rows[:, THEN]
    drift /= sigma[:, None]
    index = np.zeros((len(rows), _ZERO + 1))
    index[:, :_ZERO] = rows[:, MEANS, _N]
    # Of what this reading tells: a sensor that is gone is not stuck any more.
    runs = np.where(works, units.runs, 0)
    longest = runs.max(axis=1)
    usable = (works & (runs < STUCK_AFTER)).sum(axis=1)
    found = np.empty((len(rows), len(FEATURES)))
    found[:, :_N] = rows[:, MID, :_N]
    found[:, _N : 3 * _N] = drift[:, :, :_N].reshape(len(rows), -1)
    found[:, 3 * _N : -7] = index[:, _LEFT] - index[:, _RIGHT]
    rest = (ages, usable, longest, runs.argmax(axis=1), conditions, units.elsewhere, units.known)
    for at, column in enumerate(rest, -7):
        found[:, at] = column
    found *= TENTHS
    np.rint(found, out=found)
    found /= TENTHS
    return found
