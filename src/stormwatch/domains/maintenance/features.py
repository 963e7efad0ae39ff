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

from math import fsum, nan
from operator import itemgetter, le
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import StateError
from stormwatch.features import Feature, names
from stormwatch.models.conditions import UNKNOWN, Condition, Conditions, find
from stormwatch.state.envelope import MENDS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SPANS = (4, 10, 30, 80)
"""Readings that the means look back on: fast, mid, slow and long."""
BASELINE = 15
"""Readings that make a unit's own baseline; also the weight of the nominal noise in its sigma."""
STUCK_AFTER = 16
"""The same value so often in a row is a stuck sensor (100 healthy engines of FD001: at most 11)."""
FARTHEST = 100.0
"""Farther than so many sigmas from what is normal in its condition no sensor can be believed: a
sensor that sticks shows it at the first reading in another condition."""
ELSEWHERE_SPAN = 30
"""Readings that the share of unknown conditions looks back on."""

_NAMES = tuple(sensor.name for sensor in WEARING)
_N = len(WEARING)
_LAST_4, _LAST_10, _LAST_30, _LAST_80 = (f"last {span} readings" for span in SPANS)
_OWN = f"first {BASELINE} readings"

FEATURE_SET = "maintenance-2"
_MODEL = (
    *(Feature(f"level_{s}", f"mean of {s}, up is worn", "σ from normal", _LAST_10) for s in _NAMES),
    *(Feature(f"drift_{s}", f"mean of {s} from the unit's own baseline", "own σ",
              f"{_LAST_10}; {_OWN}") for s in _NAMES),
    *(Feature(f"slope_{s}", f"fast minus slow mean of {s}", "own σ", f"{_LAST_4}; {_LAST_30}")
      for s in _NAMES),
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

_LOW, _HIGH = zip(*(sensor.plausible for sensor in WEARING), strict=True)
_TAKE = itemgetter(*_NAMES)
_WEAR = np.array([float(sensor.wear) for sensor in WEARING])
_OF_TYPE = Conditions(
    _NAMES,
    (Condition((), (), tuple(s.nominal for s in WEARING), tuple(s.noise for s in WEARING), 1.0),),
)  # fmt: skip
_SETTLED = max(BASELINE, *((span + 1) // 2 for span in SPANS))  # a larger count changes nothing
_COLUMNS = _N + 1  # the sensors' and the index's
_LAST, _MID, _FAST, _BASE, _SLOW, _LONG, _SQUARES, _ROWS = range(8)
_MEANS, _NOW, _THEN = slice(_MID, _SQUARES), slice(_MID, _BASE), slice(_BASE, _LONG)
"""Of the rows that are kept those that are means: of these, now (mid, fast) and then (base, slow).
The squares' begins at BASELINE: the weight of the nominal noise, which is 1."""


def _alphas(span: int) -> list[float]:
    return [max(2 / (span + 1), 1 / (n + 1)) for n in range(_SETTLED + 1)]


_OWN_ALPHAS = [1 / (n + 1) if n < BASELINE else 0.0 for n in range(_SETTLED + 1)]
_ALPHAS = np.array([_alphas(SPANS[1]), _alphas(SPANS[0]), _OWN_ALPHAS, *map(_alphas, SPANS[2:])])
_STEADY = np.ascontiguousarray(_ALPHAS[:, -1:])
_ALL_SETTLED = bytes([_SETTLED]) * _COLUMNS
_MOST = 65535.0  # readings known
_LONGEST = 255  # run
_ONES = bytes([1]) * _N
_TENTHS = 10_000.0  # features are rounded to these

_HEAD = Struct(f"<{_COLUMNS + _N}s7xI2d")  # counts and runs, digest of the normal, known, elsewhere
_SIZE = _HEAD.size + _ROWS * _COLUMNS * 8
_SHAPE = (_ROWS, _COLUMNS)
_OLD = Struct(f"<{2 * _N}s{6 * _N}f")  # counts and runs; last, fast, mid, slow, base, squares
_BLANK_ROWS = np.zeros(_SHAPE)
_BLANK_ROWS[_LAST] = nan
_BLANK_ROWS[_SQUARES] = BASELINE
_BLANK_ROWS.flags.writeable = False
_NOTHING = bytes(_COLUMNS + _N)


class Normal:
    """The conditions of a model, made ready; without any, what the type says is normal anywhere."""

    def __init__(self, conditions: Conditions | None = None) -> None:
        """Raises ValueError for conditions that lack a wearing sensor."""
        made = conditions or _OF_TYPE
        places = [made.sensors.index(name) for name in _NAMES]
        self.known = made.known
        self.digest = made.digest
        centre = np.array([each.nominal for each in made.known])[:, places]
        scale = _WEAR / np.array([each.noise for each in made.known])[:, places]
        self.parts = tuple(zip(centre, scale, strict=True))
        """Of each condition: what is normal, and what a distance is multiplied by."""

    def find(self, reading: Reading) -> int:
        """Number of the reading's condition, or UNKNOWN."""
        return find(self.known, reading.settings)

    def z(self, values: Floats, condition: int) -> Floats:
        """Distances from what is normal in a known condition."""
        centre, scale = self.parts[condition]
        found: Floats = (values - centre) * scale
        return found


class _Memory:
    """A unit's sensors, unpacked."""

    __slots__ = ("counts", "elsewhere", "known", "rows", "runs")

    def __init__(
        self, told: bytes = _NOTHING, known: float = 0.0, elsewhere: float = 0.0,
        rows: Floats = _BLANK_ROWS,
    ) -> None:  # fmt: skip
        self.counts, self.runs = told[:_COLUMNS], told[_COLUMNS:]
        self.known, self.elsewhere, self.rows = known, elsewhere, rows

    def packed(self, digest: int) -> bytes:
        """As it is kept."""
        head = _HEAD.pack(self.counts + self.runs, digest, self.known, self.elsewhere)
        return head + self.rows.tobytes()


def advance(state: UnitState, reading: Reading, normal: Normal) -> tuple[float, ...]:
    """Learn `reading`; return the unit's features with it, in the order of FEATURES.

    Raises StateError where a version with another layout wrote the state.
    """
    values, works = _read(reading.sensors)
    condition = normal.find(reading)
    if condition != UNKNOWN:
        z = normal.z(values, condition)
        works = _believed(z, works)
    memory = _unpacked(state.body, values, normal, reading.unit)
    if learns(state, reading):
        memory.known = min(memory.known + 1.0, _MOST)
        away = 1.0 if condition == UNKNOWN else 0.0
        weight = max(2.0 / (ELSEWHERE_SPAN + 1), 1.0 / memory.known)
        memory.elsewhere += weight * (away - memory.elsewhere)
        if condition != UNKNOWN:
            _learn(memory, values, works, z)
        if reading.cycle < state.cycle:
            state.offset += state.cycle
        state.time, state.cycle = reading.time, reading.cycle
        state.body = memory.packed(normal.digest)
    return _features(memory, works, state.offset + reading.cycle, condition)


def _read(sensors: dict[str, float]) -> tuple[Floats, Flags | None]:
    """The wearing sensors' values, and which of them work; None: all."""
    try:
        told = _TAKE(sensors)
    except KeyError:
        told = tuple(sensors.get(name, nan) for name in _NAMES)
    values = np.array(told)
    if all(map(le, _LOW, told)) and all(map(le, told, _HIGH)):
        return values, None
    return values, (values >= _LOW) & (values <= _HIGH)


def _believed(z: Floats, works: Flags | None) -> Flags | None:
    """`works`, without sensors that are farther from normal than wear ever brings them."""
    if works is None:
        told = z.tolist()
        return None if max(told) <= FARTHEST and min(told) >= -FARTHEST else abs(z) <= FARTHEST
    return works & (abs(z) <= FARTHEST)


def forget(body: bytes, name: str, time: int, unit: str) -> bytes:
    """`body` as if nothing had been learned of a sensor."""
    if not body or name not in _NAMES:
        return body
    at = _NAMES.index(name)
    if len(body) == _OLD.size:
        told, *old = _OLD.unpack(body)
        old[at::_N] = [0.0] * 6
        return _OLD.pack(_without(told, at, _N + at), *old)
    _check(body, unit)
    told, digest, known, elsewhere = _HEAD.unpack_from(body)
    rows = np.ndarray(_SHAPE, np.float64, body, _HEAD.size).copy()
    rows[:, at] = _BLANK_ROWS[:, 0]
    return _Memory(_without(told, at, _COLUMNS + at), known, elsewhere, rows).packed(digest)


def learns(state: UnitState, reading: Reading) -> bool:
    """Whether the state learns this reading: it is the first, or younger than the newest."""
    return not state.body or reading.time > state.time


def _without(told: bytes, *places: int) -> bytes:
    left = bytearray(told)
    for place in places:
        left[place] = 0
    return bytes(left)


def _unpacked(body: object, values: Floats, normal: Normal, unit: str) -> _Memory:
    if not isinstance(body, bytes):
        raise TypeError("a state with a Life is advanced by its body")
    if not body:
        return _Memory()
    if len(body) == _OLD.size:
        return _of_old(body, values, normal)
    _check(body, unit)
    told, digest, known, elsewhere = _HEAD.unpack_from(body)
    if digest != normal.digest:
        return _Memory()
    return _Memory(told, known, elsewhere, np.ndarray(_SHAPE, np.float64, body, _HEAD.size))


def _check(body: bytes, unit: str) -> None:
    if len(body) != _SIZE:
        raise StateError(
            f"the state of {unit} has {len(body)} bytes where {FEATURE_SET} has {_SIZE}: another "
            f"version wrote it. {MENDS}"
        )


def _of_old(body: bytes, values: Floats, normal: Normal) -> _Memory:
    """What `maintenance-1` knew, in one condition; of several it mixed what cannot be parted.

    It kept the last value as a z of float32, so only whether it has come again can be told.
    """
    if len(normal.known) > 1:
        return _Memory()
    told, *known = _OLD.unpack(body)
    last, fast, mid, slow, base, squares = np.array(known, dtype=np.float64).reshape(6, _N)
    counts = np.frombuffer(told[:_N], np.uint8)
    seen = counts > 0
    of_type = Normal()
    centre, theirs = of_type.parts[0]
    scale = normal.parts[0][1] / theirs
    rows = _BLANK_ROWS.copy()
    rows[_MEANS, :_N] = np.array([mid, fast, base, slow, slow]) * scale + normal.z(centre, 0)
    rows[_SQUARES, :_N] += squares * scale**2
    came = of_type.z(values, 0).astype(np.float32) == last
    rows[_LAST, :_N] = np.where(came, values, nan)
    rows[:, :_N][:, ~seen] = _BLANK_ROWS[:, :1]
    if seen.any():
        rows[_MEANS, _N] = [fsum(row) / seen.sum() for row in rows[_MEANS, :_N][:, seen].tolist()]
    return _Memory(told[:_N] + bytes([max(told[:_N])]) + told[_N:], 0.0, 0.0, rows)


def _learn(memory: _Memory, values: Floats, works: Flags | None, z: Floats) -> None:
    """The usual case, that all sensors work and none is stuck, needs no masks: it is the fast one.

    Both ways give the same bits.
    """
    old, counts = memory.rows, memory.counts
    rows = memory.rows = old.copy()
    memory.runs = _runs(memory.runs, values == old[_LAST, :_N], works)
    learned = works
    if max(memory.runs) >= STUCK_AFTER:
        moves = np.frombuffer(memory.runs, np.uint8) < STUCK_AFTER
        learned = moves if works is None else moves & works
    if works is None:
        rows[_LAST, :_N] = values
    else:
        np.copyto(rows[_LAST, :_N], values, where=works)
    means = rows[_MEANS]
    told = z.tolist()
    if learned is None:
        columns = None
        step = np.array([*told, fsum(told) / _N]) - means
    else:
        some = z[learned].tolist()
        columns = np.append(learned, bool(some))
        step = np.array([*told, fsum(some) / max(len(some), 1)]) - means
        step = np.where(columns, step, 0.0)
    if counts == _ALL_SETTLED:
        step *= _STEADY
        np.add(means, step, out=means)
        return
    count = np.frombuffer(counts, np.uint8)
    away = step[_BASE - _MID, :_N].copy()
    step *= _ALPHAS[:, count]
    np.add(means, step, out=means)
    if min(counts) < BASELINE:
        grows = count[:_N] < BASELINE if learned is None else learned & (count[:_N] < BASELINE)
        rows[_SQUARES, :_N] += np.where(grows, away * (z - rows[_BASE, :_N]), 0.0)
    grown = count + (1 if columns is None else columns)
    memory.counts = np.minimum(grown, _SETTLED).astype(np.uint8).tobytes()


def _runs(runs: bytes, same: Flags, works: Flags | None) -> bytes:
    """How often each sensor has had its value; one that does not work keeps its run."""
    if works is None:
        if not np.count_nonzero(same):
            return _ONES
        return bytes([
            1 if not again else run + 1 if run < _LONGEST else run
            for run, again in zip(runs, same.tolist(), strict=True)
        ])  # fmt: skip
    return bytes([
        run if not has else 1 if not again else run + 1 if run < _LONGEST else run
        for run, again, has in zip(runs, same.tolist(), works.tolist(), strict=True)
    ])  # fmt: skip


def _features(memory: _Memory, works: Flags | None, age: int, condition: int) -> tuple[float, ...]:
    rows, counts, runs = memory.rows, memory.counts, memory.runs
    if counts == _ALL_SETTLED:
        sigma = rows[_SQUARES] * (0.5 / BASELINE)
    else:
        own = np.minimum(np.frombuffer(counts, np.uint8), BASELINE)
        sigma = rows[_SQUARES] / (own + float(BASELINE))
    np.sqrt(sigma, out=sigma)
    m, f, b, s, g = rows[_MEANS, _N].tolist()
    if works is not None:  # of what this reading tells: a sensor that is gone is not stuck any more
        runs = bytes([run if has else 0 for run, has in zip(runs, works.tolist(), strict=True)])
    longest = max(runs)
    usable = _N if works is None else int(np.count_nonzero(works))
    if longest >= STUCK_AFTER:
        usable -= sum(run >= STUCK_AFTER for run in runs)
    drift = rows[_NOW] - rows[_THEN]
    drift /= sigma
    row = np.empty(len(FEATURES))
    row[:_N], row[_N : 2 * _N], row[2 * _N : 3 * _N] = rows[_MID, :_N], *drift[:, :_N]
    row[3 * _N :] = (
        f, m, s, f - b, m - b, s - b, f - s, m - s, f - m, g, m - g, s - g, age,
         usable, longest, runs.index(longest), condition, memory.elsewhere, memory.known,
    )  # fmt: skip
    row *= _TENTHS
    np.rint(row, out=row)
    row /= _TENTHS
    return tuple(row.tolist())
