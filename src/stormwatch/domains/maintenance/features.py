"""What is remembered of a unit and the features read from it: one pass, 364 bytes a unit.

Every value is first written in its sensor's own noise, z = wear * (value - nominal) / noise, so
that 1 is one standard deviation of a healthy sensor and up always means worn. Of z each of the 14
wearing sensors keeps three exponentially weighted means (spans 4, 10 and 30 readings,
alpha = 2 / (span + 1), plain means while fewer readings are known) and the mean and sum of squares
of the unit's own first 15 readings (Welford, Technometrics 1962). The packed float32 bytes *are*
the memory: storing and loading cannot change a bit.

A reading is a measurement, not a label: it is part of the features of its own decision. Then:
- a sensor that is absent, unbelievable or stuck is not learned; what was known of it stays, and
  one never seen has neutral features (0);
- a reading not newer than the newest one (late within the allowed lateness) is scored by what is
  known and not learned: means and baseline go forward in time only;
- a cycle counter that jumps back while time goes on was reset: the age goes on from where it was.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, compress
from math import fsum, sqrt
from struct import Struct
from typing import Any

import numpy as np

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import StateError
from stormwatch.state.envelope import MENDS

SPANS = (4, 10, 30)
"""Readings that the three means look back on."""
BASELINE = 15
"""Readings that make a unit's own baseline; also the weight of the nominal noise in its sigma."""
STUCK_AFTER = 16
"""The same value so often in a row is a stuck sensor (100 healthy engines of FD001: at most 11)."""

_NAMES = tuple(sensor.name for sensor in WEARING)
_N = len(WEARING)

FEATURE_SET = "maintenance-1"
MODEL_FEATURES = (
    *(f"level_{name}" for name in _NAMES),  # mid mean from nominal, in the sensor's noise
    *(f"drift_{name}" for name in _NAMES),  # mid mean from the unit's own baseline, in its sigmas
    *(f"slope_{name}" for name in _NAMES),  # fast mean minus slow mean, in sigmas
    "index_fast", "index_mid", "index_slow",  # the means, averaged over all sensors seen
    "index_fast_drift", "index_mid_drift", "index_slow_drift",
    "index_fast_slow", "index_mid_slow", "index_fast_mid",
    "age",  # operating cycles
)  # fmt: skip
"""What the model sees, in order."""
FEATURES = (*MODEL_FEATURES, "usable", "stuck_run", "stuck_sensor")
"""All features, rounded to 4 decimals. The last three are of this reading: how many wearing
sensors work, the longest run of one value, and the index in WEARING of the sensor that has it."""
DRIFTS = slice(_N, 2 * _N)
"""Where the drifts are, in the order of WEARING."""

_SENSORS = tuple((s.name, s.nominal, s.wear / s.noise, *s.plausible) for s in WEARING)
_SETTLED = max(*SPANS, BASELINE)  # a larger count changes nothing
_ALPHAS = [[max(2 / (s + 1), 1 / (n + 1)) for s in SPANS] for n in range(_SETTLED + 1)]
_BODY = Struct(f"<{2 * _N}B{6 * _N}f")  # in eights: see `_learn`
_BLANK = bytes(_BODY.size)
_FLOATS = Struct(f"<{_N}f")


def advance(state: UnitState, reading: Reading) -> tuple[float, ...]:
    """Learn `reading`; return the unit's features with it, in the order of FEATURES.

    Raises StateError where a version with another layout wrote the state.
    """
    body = state.body or _BLANK
    if not isinstance(body, bytes):
        raise TypeError("a state with a Life is advanced by its body")
    if len(body) != _BODY.size:
        raise StateError(
            f"the state of {reading.unit} has {len(body)} bytes where {FEATURE_SET} has "
            f"{_BODY.size}: another version wrote it. {MENDS}"
        )
    present = reading.sensors.get
    values, usable = [], []
    for name, nominal, scale, low, high in _SENSORS:
        value = present(name)
        works = value is not None and low <= value <= high
        usable.append(works)
        values.append((value - nominal) * scale if works else 0.0)  # type: ignore[operator]
    known: Sequence[Any] = _BODY.unpack(body)
    if learns(state, reading):
        known = _learn(known, _FLOATS.unpack(_FLOATS.pack(*values)), usable)
        if reading.cycle < state.cycle:
            state.offset += state.cycle
        state.time, state.cycle, state.body = reading.time, reading.cycle, _BODY.pack(*known)
    return _features(known, usable, state.offset + reading.cycle)


def forget(body: bytes, name: str, time: int, unit: str) -> bytes:
    """`body` as if nothing had been learned of a sensor."""
    if not body or name not in _NAMES:
        return body
    known = [list(column) for column in _columns(_BODY.unpack(body))]
    for column in known:
        column[_NAMES.index(name)] = 0
    return _BODY.pack(*chain.from_iterable(known))


def learns(state: UnitState, reading: Reading) -> bool:
    """Whether the state learns this reading: it is the first, or younger than the newest."""
    return not state.body or reading.time > state.time


def _columns(known: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Counts, runs, last values, fast, mid and slow means, baseline means and squares."""
    return (known[i : i + _N] for i in range(0, 8 * _N, _N))


def _learn(known: Sequence[Any], values: Sequence[float], usable: Sequence[bool]) -> list[Any]:
    sensors = []
    for value, works, sensor in zip(
        values, usable, zip(*_columns(known), strict=True), strict=True
    ):
        if not works:
            sensors.append(sensor)
            continue
        count, run, last, fast, mid, slow, mean, squares = sensor
        run = min(run + 1, 255) if value == last else 1
        if run < STUCK_AFTER:
            a_fast, a_mid, a_slow = _ALPHAS[count]
            fast += a_fast * (value - fast)
            mid += a_mid * (value - mid)
            slow += a_slow * (value - slow)
            if count < BASELINE:
                step = value - mean
                mean += step / (count + 1)
                squares += step * (value - mean)
            if count < _SETTLED:
                count += 1
        sensors.append((count, run, value, fast, mid, slow, mean, squares))
    return list(chain.from_iterable(zip(*sensors, strict=True)))


def _features(known: Sequence[Any], usable: Sequence[bool], age: int) -> tuple[float, ...]:
    counts, runs, _, fasts, mids, slows, bases, squares = _columns(known)
    sigmas = [
        sqrt((BASELINE + total) / (BASELINE + min(count, BASELINE)))
        for total, count in zip(squares, counts, strict=True)
    ]
    seen = _N - counts.count(0) or 1
    fast, mid, slow, base = (fsum(column) / seen for column in (fasts, mids, slows, bases))
    told = [run if works else 0 for run, works in zip(runs, usable, strict=True)]
    longest = max(told)  # of what this reading tells: a sensor that is gone is not stuck any more
    working = sum(map(STUCK_AFTER.__gt__, compress(runs, usable)))
    row = [
        *mids,
        *((m - b) / s for m, b, s in zip(mids, bases, sigmas, strict=True)),
        *((f - s) / sigma for f, s, sigma in zip(fasts, slows, sigmas, strict=True)),
        fast, mid, slow, fast - base, mid - base, slow - base,
        fast - slow, mid - slow, fast - mid, age,
        working, longest, told.index(longest),
    ]  # fmt: skip
    return tuple(np.array(row).round(4).tolist())
