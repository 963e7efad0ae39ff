"""What is remembered of a unit and the features read from it: one pass, 896 bytes a unit.

Every value is first written as a distance from what is normal in the working condition of its
reading, z = wear * (value - nominal) / noise, so that 1 is one standard deviation of a healthy
machine there and up always means worn; `Normal` holds the conditions, which are the model's. Of z
each of the 14 wearing sensors, and their mean (the index), keeps exponentially weighted means
(SPANS readings, alpha = 2 / (span + 1), plain means while fewer readings are known) and the mean
and sum of squares of the unit's own first 15 readings (Welford, Technometrics 1962). All is float64
and the packed bytes *are* the memory: storing and loading cannot change a bit.

A reading is a measurement, not a label: it is part of the features of its own decision. Then:
- a sensor that is absent, unbelievable or stuck is not learned, and the index is the others' mean;
  what was known of it stays, and one never seen has neutral features (0);
- a reading in a condition that the model does not know is counted, and no sensor learns from it;
- a reading not newer than the newest one (late within the allowed lateness) is scored by what is
  known and not learned: means and baseline go forward in time only (`reorder` finds it its place);
- a cycle counter that jumps back while time goes on was reset: the age goes on from where it was.

Of the feature set before (`maintenance-1`, 364 bytes) means and baselines carry on, if the model
knows one condition; the long mean begins as the slow one, and what is counted only now (`known`,
`elsewhere`) at nothing. Where the normal is another than the one that a state was learned by, the
unit's memory begins again.
"""

from collections.abc import Sequence
from math import nan
from operator import itemgetter

import numpy as np

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.health import wearing
from stormwatch.domains.maintenance.health.wearing import Found
from stormwatch.domains.maintenance.memory import (
    BASELINE,
    LAYOUT,
    MEANS,
    MID,
    MOST,
    NAMES,
    NOW,
    SETTLED,
    SPANS,
    SQUARES,
    STUCK_AFTER,
    THEN,
    Flags,
    Floats,
    Normal,
    Units,
    body_of,
    expected,
    forget,
    is_of,
    learn,
)
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.features import Feature, names
from stormwatch.models.conditions import UNKNOWN

__all__ = [
    "BASELINE", "DRIFTS", "ELSEWHERE_SPAN", "FARTHEST", "FEATURES", "FEATURE_NAMES", "FEATURE_SET",
    "MODEL_FEATURES", "OLD_FEATURES", "OLD_SET", "SPANS", "STUCK_AFTER", "Normal", "Row", "advance",
    "advance_all", "forget", "learns",
]  # fmt: skip

FARTHEST = 100.0
"""Farther than so many sigmas from what is normal in its condition no sensor can be believed: a
sensor that sticks shows it at the first reading in another condition."""
ELSEWHERE_SPAN = 30
"""Readings that the share of unknown conditions looks back on."""

_N = len(NAMES)
_LAST_4, _LAST_10, _LAST_30, _LAST_80 = (f"last {span} readings" for span in SPANS)
_OWN = f"first {BASELINE} readings"

FEATURE_SET = LAYOUT
_MODEL = (
    *(Feature(f"level_{s}", f"mean of {s}, up is worn", "σ from normal", _LAST_10) for s in NAMES),
    *(Feature(f"drift_{s}", f"mean of {s} from the unit's own baseline", "own σ",
              f"{_LAST_10}; {_OWN}") for s in NAMES),
    *(Feature(f"slope_{s}", f"fast minus slow mean of {s}", "own σ", f"{_LAST_4}; {_LAST_30}")
      for s in NAMES),
    Feature("index_fast", "mean of all sensors seen", "σ from normal", _LAST_4),
    Feature("index_mid", "mean of all sensors seen", "σ from normal", _LAST_10),
    Feature("index_slow", "mean of all sensors seen", "σ from normal", _LAST_30),
    Feature("index_fast_drift", "index_fast from the unit's own baseline", "σ", _LAST_4),
    Feature("index_mid_drift", "index_mid from the unit's own baseline", "σ", _LAST_10),
    Feature("index_slow_drift", "index_slow from the unit's own baseline", "σ", _LAST_30),
    Feature("index_fast_slow", "index_fast minus index_slow", "σ"),
    Feature("index_mid_slow", "index_mid minus index_slow", "σ"),
    Feature("index_fast_mid", "index_fast minus index_mid", "σ"),
    Feature("index_long", "mean of all sensors seen", "σ from normal", _LAST_80),
    Feature("index_mid_long", "index_mid minus index_long", "σ"),
    Feature("index_slow_long", "index_slow minus index_long", "σ"),
    Feature("age", "operating cycles since the unit was new", "cycles"),
)  # fmt: skip
_TOLD = (
    Feature("usable", "wearing sensors of this reading that work"),
    Feature("stuck_run", "longest run of one value among them", "readings"),
    Feature("stuck_sensor", "index among the wearing sensors of the one that has that run"),
    Feature("condition", "number of the working condition; -1: the model does not know it"),
    Feature("elsewhere", "share of readings in unknown conditions", "",
            f"{ELSEWHERE_SPAN} readings"),
    Feature("known", "readings learned by the normal and the features in use, at most 65535",
            "readings"),
)  # fmt: skip
FEATURES = (*_MODEL, *_TOLD)
"""All features, rounded to 4 decimals. Those of `_TOLD` are not of the model."""
FEATURE_NAMES = names(FEATURES)
MODEL_FEATURES = names(_MODEL)
"""What the model sees, in order."""
OLD_SET = "maintenance-1"
_ADDED = frozenset({"index_long", "index_mid_long", "index_slow_long"})
OLD_FEATURES = tuple(n for n in (*MODEL_FEATURES, *names(_TOLD[:3])) if n not in _ADDED)
"""Names of the set before, of decisions that are stored."""
DRIFTS = slice(_N, 2 * _N)
"""Where the drifts are, in the order of WEARING."""

_LOW, _HIGH = np.array([sensor.plausible for sensor in WEARING]).T
_TAKE = itemgetter(*NAMES)
_TENTHS = 10_000.0  # features are rounded to these
_M, _F, _B, _S, _G, _ZERO = range(6)  # means of the index as they are kept, and a 0
_LEFT = [_F, _M, _S, _F, _M, _S, _F, _M, _F, _G, _M, _S]
_RIGHT = [_ZERO, _ZERO, _ZERO, _B, _B, _B, _S, _S, _M, _ZERO, _G, _G]
"""The features of the index are these means less those."""

Row = tuple[float, ...]
"""Features in the order of FEATURES."""


def advance(state: UnitState, reading: Reading, normal: Normal) -> Row:
    """Learn `reading`, whatever its sensors' health; return the unit's features with it.

    Raises StateError where a version with another layout wrote the state.
    """
    ((row, _),) = advance_all([state], [reading], normal, looks=False)
    return row


def advance_all(
    states: Sequence[UnitState], readings: Sequence[Reading], normal: Normal, *, looks: bool = True
) -> list[tuple[Row, Found | None]]:
    """Learn a reading of each of several units, no two of one: its features, but for the sensors
    that are at fault, and what is wrong with these.

    What a unit comes to depends on no other. `looks`: whether the sensors' health is looked at.
    Raises StateError where a version with another layout wrote a state.
    """
    conditions = [normal.find(reading) for reading in readings]
    alike: dict[tuple[bool, bool], list[int]] = {}
    for at, (state, reading) in enumerate(zip(states, readings, strict=True)):
        alike.setdefault((conditions[at] != UNKNOWN, learns(state, reading)), []).append(at)
    made: dict[int, tuple[Row, Found | None]] = {}
    for (is_known, is_learned), places in alike.items():
        some = _Some(
            [states[at] for at in places], [readings[at] for at in places],
            [conditions[at] for at in places] if is_known else [], normal,
        )  # fmt: skip
        if looks:
            some.look(is_learned=is_learned)
        made |= zip(places, some.advance(is_learned=is_learned), strict=True)
    return [made[at] for at in range(len(states))]


def learns(state: UnitState, reading: Reading) -> bool:
    """Whether the state learns this reading: it is the first, or younger than the newest."""
    return not state.body or reading.time > state.time


class _Some:
    """Units with a reading each, which are all learned or none, in conditions that are known all or
    none."""

    def __init__(
        self, states: list[UnitState], readings: list[Reading], conditions: list[int],
        normal: Normal,
    ) -> None:  # fmt: skip
        """`conditions`: none, where they are not known."""
        self._states, self._readings = states, readings
        self._conditions, self._normal = conditions, normal
        self._told = [_told(reading.sensors) for reading in readings]
        self._values = np.array(self._told)
        self._found: list[Found | None] = [None] * len(states)
        self._units = Units([
            body_of(state.body, told, normal, reading.unit)
            for state, told, reading in zip(states, self._told, readings, strict=True)
        ])  # fmt: skip

    def look(self, *, is_learned: bool) -> None:
        """Look at the sensors' health; take those that are at fault out of the readings."""
        if not is_learned:
            for at, state in enumerate(self._states):
                self._values[at, wearing.named(state.health)] = nan
        elif self._conditions:
            looked_at = np.array([is_of(state.body, self._normal) for state in self._states])
            known = expected(self._units, self._normal, self._conditions)
            healths = [state.health for state in self._states]
            for at, found in wearing.look(healths, self._told, self._values, known, looked_at):
                self._states[at].health = found.body
                self._values[at, found.out] = nan
                if found.named or found.absent:
                    self._found[at] = found

    def advance(self, *, is_learned: bool) -> list[tuple[Row, Found | None]]:
        """Learn the readings, if they are to be; the features with them."""
        units, values, conditions = self._units, self._values, self._conditions
        works = (values >= _LOW) & (values <= _HIGH)
        if conditions:
            z = self._normal.z(values, conditions)
            works &= np.abs(z) <= FARTHEST  # farther wear never brings them
        if is_learned:
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


def _told(sensors: dict[str, float]) -> tuple[float, ...]:
    """The wearing sensors' values; nan where there is none."""
    try:
        found: tuple[float, ...] = _TAKE(sensors)
    except KeyError:
        return tuple(sensors.get(name, nan) for name in NAMES)
    return found


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
    found *= _TENTHS
    np.rint(found, out=found)
    found /= _TENTHS
    return found
