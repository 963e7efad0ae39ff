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

from math import nan
from operator import itemgetter, le

import numpy as np

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.memory import (
    ALL_SETTLED,
    BASELINE,
    LAYOUT,
    MEANS,
    MID,
    MOST,
    NAMES,
    NOW,
    SPANS,
    SQUARES,
    STUCK_AFTER,
    THEN,
    Flags,
    Floats,
    Memory,
    Normal,
    forget,
    learn,
    unpacked,
)  # fmt: skip
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.features import Feature, names
from stormwatch.models.conditions import UNKNOWN

__all__ = [
    "BASELINE", "DRIFTS", "ELSEWHERE_SPAN", "FARTHEST", "FEATURES", "FEATURE_NAMES", "FEATURE_SET",
    "MODEL_FEATURES", "OLD_FEATURES", "OLD_SET", "SPANS", "STUCK_AFTER", "Normal", "advance",
    "forget", "learns",
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

LOW, HIGH = zip(*(sensor.plausible for sensor in WEARING), strict=True)
_TAKE = itemgetter(*NAMES)
TENTHS = 10_000.0  # features are rounded to these


def advance(state: UnitState, reading: Reading, normal: Normal) -> tuple[float, ...]:
    """Learn `reading`; return the unit's features with it, in the order of FEATURES.

    Raises StateError where a version with another layout wrote the state.
    """
    values, works = _read(reading.sensors)
    condition = normal.find(reading)
    if condition != UNKNOWN:
        z = normal.z(values, condition)
        works = _believed(z, works)
    memory = unpacked(state.body, values, normal, reading.unit)
    if learns(state, reading):
        memory.known = min(memory.known + 1.0, MOST)
        away = 1.0 if condition == UNKNOWN else 0.0
        weight = max(2.0 / (ELSEWHERE_SPAN + 1), 1.0 / memory.known)
        memory.elsewhere += weight * (away - memory.elsewhere)
        if condition != UNKNOWN:
            learn(memory, values, works, z)
        if reading.cycle < state.cycle:
            state.offset += state.cycle
        state.time, state.cycle = reading.time, reading.cycle
        state.body = memory.packed(normal.digest)
    return _features(memory, works, state.offset + reading.cycle, condition)


def _read(sensors: dict[str, float]) -> tuple[Floats, Flags | None]:
    """The wearing sensors' values, and which of them work; None: all."""
    measured = told(sensors)
    values = np.array(measured)
    if all(map(le, LOW, measured)) and all(map(le, measured, HIGH)):
        return values, None
    return values, (values >= LOW) & (values <= HIGH)


def told(sensors: dict[str, float]) -> tuple[float, ...]:
    """The wearing sensors' values; nan where there is none."""
    try:
        found: tuple[float, ...] = _TAKE(sensors)
    except KeyError:
        return tuple(sensors.get(name, nan) for name in NAMES)
    return found


def _believed(z: Floats, works: Flags | None) -> Flags | None:
    """`works`, without sensors that are farther from normal than wear ever brings them."""
    if works is None:
        told = z.tolist()
        return None if max(told) <= FARTHEST and min(told) >= -FARTHEST else abs(z) <= FARTHEST
    return works & (abs(z) <= FARTHEST)


def learns(state: UnitState, reading: Reading) -> bool:
    """Whether the state learns this reading: it is the first, or younger than the newest."""
    return not state.body or reading.time > state.time


def _features(memory: Memory, works: Flags | None, age: int, condition: int) -> tuple[float, ...]:
    rows, counts, runs = memory.rows, memory.counts, memory.runs
    if counts == ALL_SETTLED:
        sigma = rows[SQUARES] * (0.5 / BASELINE)
    else:
        own = np.minimum(np.frombuffer(counts, np.uint8), BASELINE)
        sigma = rows[SQUARES] / (own + float(BASELINE))
    np.sqrt(sigma, out=sigma)
    m, f, b, s, g = rows[MEANS, _N].tolist()
    if works is not None:  # of what this reading tells: a sensor that is gone is not stuck any more
        runs = bytes([run if has else 0 for run, has in zip(runs, works.tolist(), strict=True)])
    longest = max(runs)
    usable = _N if works is None else int(np.count_nonzero(works))
    if longest >= STUCK_AFTER:
        usable -= sum(run >= STUCK_AFTER for run in runs)
    drift = rows[NOW] - rows[THEN]
    drift /= sigma
    row = np.empty(len(FEATURES))
    row[:_N], row[_N : 2 * _N], row[2 * _N : 3 * _N] = rows[MID, :_N], *drift[:, :_N]
    row[3 * _N :] = (
        f, m, s, f - b, m - b, s - b, f - s, m - s, f - m, g, m - g, s - g, age,
         usable, longest, runs.index(longest), condition, memory.elsewhere, memory.known,
    )  # fmt: skip
    row *= TENTHS
    np.rint(row, out=row)
    row /= TENTHS
    return tuple(row.tolist())
