"""What is remembered of a turbofan's sensors, 896 bytes a unit: what it is, and how it is kept.

What it means stands in `features` beside this file. All is float64 and the packed bytes *are* the
memory: storing and loading cannot change a bit.
"""

from math import fsum, nan
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.health.suspects import START
from stormwatch.domains.maintenance.health.wearing import Expected, drifter
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.errors import StateError
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
LAYOUT = "maintenance-2"
NAMES = tuple(sensor.name for sensor in WEARING)
_N = len(WEARING)
_WEAR = np.array([float(sensor.wear) for sensor in WEARING])
_OF_TYPE = Conditions(
    NAMES,
    (Condition((), (), tuple(s.nominal for s in WEARING), tuple(s.noise for s in WEARING), 1.0),),
)  # fmt: skip
SETTLED = max(BASELINE, *((span + 1) // 2 for span in SPANS))  # a larger count changes nothing
COLUMNS = _N + 1  # the sensors' and the index's
LAST, MID, _FAST, BASE, SLOW, _LONG, SQUARES, _ROWS = range(8)
MEANS, NOW, THEN = slice(MID, SQUARES), slice(MID, BASE), slice(BASE, _LONG)
"""Of the rows that are kept those that are means: of these, now (mid, fast) and then (base, slow).
The squares' begins at BASELINE: the weight of the nominal noise, which is 1."""


def _alphas(span: int) -> list[float]:
    return [max(2 / (span + 1), 1 / (n + 1)) for n in range(SETTLED + 1)]


_OWN_ALPHAS = [1 / (n + 1) if n < BASELINE else 0.0 for n in range(SETTLED + 1)]
ALPHAS = np.array([_alphas(SPANS[1]), _alphas(SPANS[0]), _OWN_ALPHAS, *map(_alphas, SPANS[2:])])
_STEADY = np.ascontiguousarray(ALPHAS[:, -1:])
ALL_SETTLED = bytes([SETTLED]) * COLUMNS
MOST = 65535.0  # readings known
LONGEST = 255  # run
_ONES = bytes([1]) * _N

HEAD = Struct(f"<{COLUMNS + _N}s7xI2d")  # counts and runs, digest of the normal, known, elsewhere
SIZE = HEAD.size + _ROWS * COLUMNS * 8
SHAPE = (_ROWS, COLUMNS)
_OLD = Struct(f"<{2 * _N}s{6 * _N}f")  # counts and runs; last, fast, mid, slow, base, squares
_BLANK_ROWS = np.zeros(SHAPE)
_BLANK_ROWS[LAST] = nan
_BLANK_ROWS[SQUARES] = BASELINE
_BLANK_ROWS.flags.writeable = False
_NOTHING = bytes(COLUMNS + _N)


class Normal:
    """The conditions of a model, made ready; without any, what the type says is normal anywhere."""

    def __init__(self, conditions: Conditions | None = None) -> None:
        """Raises ValueError for conditions that lack a wearing sensor."""
        made = conditions or _OF_TYPE
        places = [made.sensors.index(name) for name in NAMES]
        self.known = made.known
        self.digest = made.digest
        self.centre = np.array([each.nominal for each in made.known])[:, places]
        self.scale = _WEAR / np.array([each.noise for each in made.known])[:, places]
        """Of each condition: what is normal, and what a distance is multiplied by."""
        self.parts = tuple(zip(self.centre, self.scale, strict=True))

    def find(self, reading: Reading) -> int:
        """Number of the reading's condition, or UNKNOWN."""
        return find(self.known, reading.settings)

    def z(self, values: Floats, condition: int) -> Floats:
        """Distances from what is normal in a known condition."""
        centre, scale = self.parts[condition]
        found: Floats = (values - centre) * scale
        return found


class Memory:
    """A unit's sensors, unpacked."""

    __slots__ = ("counts", "elsewhere", "known", "rows", "runs")

    def __init__(
        self, told: bytes = _NOTHING, known: float = 0.0, elsewhere: float = 0.0,
        rows: Floats = _BLANK_ROWS,
    ) -> None:  # fmt: skip
        self.counts, self.runs = told[:COLUMNS], told[COLUMNS:]
        self.known, self.elsewhere, self.rows = known, elsewhere, rows

    def packed(self, digest: int) -> bytes:
        """As it is kept."""
        head = HEAD.pack(self.counts + self.runs, digest, self.known, self.elsewhere)
        return head + self.rows.tobytes()


def _without(told: bytes, *places: int) -> bytes:
    left = bytearray(told)
    for place in places:
        left[place] = 0
    return bytes(left)


def unpacked(body: object, values: Floats, normal: Normal, unit: str) -> Memory:
    if not isinstance(body, bytes):
        raise TypeError("a state with a Life is advanced by its body")
    if not body:
        return Memory()
    if len(body) == _OLD.size:
        return _of_old(body, values, normal)
    _check(body, unit)
    told, digest, known, elsewhere = HEAD.unpack_from(body)
    if digest != normal.digest:
        return Memory()
    return Memory(told, known, elsewhere, np.ndarray(SHAPE, np.float64, body, HEAD.size))


def expected(
    body: object, reading: Reading, normal: Normal, *, is_calm: bool = False
) -> Expected | None:
    """What a unit's sensors are expected to read; None where that is not known.

    `body`: of the unit before the reading. `is_calm`: there is no suspect, and no sensor is absent;
    None too where none would become one.
    """
    if not isinstance(body, bytes) or len(body) != SIZE:
        return None
    _, digest, _, _ = HEAD.unpack_from(body)
    condition = normal.find(reading)
    if digest != normal.digest or min(body[:_N]) < BASELINE or condition == UNKNOWN:
        return None
    rows = np.ndarray(SHAPE, np.float64, body, HEAD.size)[:, :_N]
    centre, scale = normal.parts[condition]
    base = rows[BASE]
    sigma = np.sqrt(rows[SQUARES] / (2.0 * BASELINE))
    slow, noise = centre + rows[SLOW] / scale, sigma / np.abs(scale)
    drift = (rows[MID] - base) / sigma
    if is_calm and None not in (told := [*map(reading.sensors.get, NAMES)]):
        values = np.array(told)
        far = np.abs((values - slow) / noise).max() >= START or (values == rows[LAST]).any()
        if not far and drifter(drift.tolist()) < 0:
            return None  # nothing to look at
    return Expected(
        slow.tolist(), (centre + base / scale).tolist(), noise.tolist(), rows[LAST].tolist(),
        drift.tolist(),
    )  # fmt: skip


def _check(body: bytes, unit: str) -> None:
    if len(body) != SIZE:
        raise StateError(
            f"the state of {unit} has {len(body)} bytes where {LAYOUT} has {SIZE}: another "
            f"version wrote it. {MENDS}"
        )


def _of_old(body: bytes, values: Floats, normal: Normal) -> Memory:
    """What `maintenance-1` knew, in one condition; of several it mixed what cannot be parted.

    It kept the last value as a z of float32, so only whether it has come again can be told.
    """
    if len(normal.known) > 1:
        return Memory()
    told, *known = _OLD.unpack(body)
    last, fast, mid, slow, base, squares = np.array(known, dtype=np.float64).reshape(6, _N)
    counts = np.frombuffer(told[:_N], np.uint8)
    seen = counts > 0
    of_type = Normal()
    centre, theirs = of_type.parts[0]
    scale = normal.parts[0][1] / theirs
    rows = _BLANK_ROWS.copy()
    rows[MEANS, :_N] = np.array([mid, fast, base, slow, slow]) * scale + normal.z(centre, 0)
    rows[SQUARES, :_N] += squares * scale**2
    came = of_type.z(values, 0).astype(np.float32) == last
    rows[LAST, :_N] = np.where(came, values, nan)
    rows[:, :_N][:, ~seen] = _BLANK_ROWS[:, :1]
    if seen.any():
        rows[MEANS, _N] = [fsum(row) / seen.sum() for row in rows[MEANS, :_N][:, seen].tolist()]
    return Memory(told[:_N] + bytes([max(told[:_N])]) + told[_N:], 0.0, 0.0, rows)


def learn(memory: Memory, values: Floats, works: Flags | None, z: Floats) -> None:
    """The usual case, that all sensors work and none is stuck, needs no masks: it is the fast one.

    Both ways give the same bits.
    """
    old, counts = memory.rows, memory.counts
    rows = memory.rows = old.copy()
    memory.runs = _runs(memory.runs, values == old[LAST, :_N], works)
    learned = works
    if max(memory.runs) >= STUCK_AFTER:
        moves = np.frombuffer(memory.runs, np.uint8) < STUCK_AFTER
        learned = moves if works is None else moves & works
    if works is None:
        rows[LAST, :_N] = values
    else:
        np.copyto(rows[LAST, :_N], values, where=works)
    means = rows[MEANS]
    told = z.tolist()
    if learned is None:
        columns = None
        step = np.array([*told, fsum(told) / _N]) - means
    else:
        some = z[learned].tolist()
        columns = np.append(learned, bool(some))
        step = np.array([*told, fsum(some) / max(len(some), 1)]) - means
        step = np.where(columns, step, 0.0)
    if counts == ALL_SETTLED:
        step *= _STEADY
        np.add(means, step, out=means)
        return
    count = np.frombuffer(counts, np.uint8)
    away = step[BASE - MID, :_N].copy()
    step *= ALPHAS[:, count]
    np.add(means, step, out=means)
    if min(counts) < BASELINE:
        grows = count[:_N] < BASELINE if learned is None else learned & (count[:_N] < BASELINE)
        rows[SQUARES, :_N] += np.where(grows, away * (z - rows[BASE, :_N]), 0.0)
    grown = count + (1 if columns is None else columns)
    memory.counts = np.minimum(grown, SETTLED).astype(np.uint8).tobytes()


def _runs(runs: bytes, same: Flags, works: Flags | None) -> bytes:
    """How often each sensor has had its value; one that does not work keeps its run."""
    if works is None:
        if not np.count_nonzero(same):
            return _ONES
        return bytes([
            1 if not again else run + 1 if run < LONGEST else run
            for run, again in zip(runs, same.tolist(), strict=True)
        ])  # fmt: skip
    return bytes([
        run if not has else 1 if not again else run + 1 if run < LONGEST else run
        for run, again, has in zip(runs, same.tolist(), works.tolist(), strict=True)
    ])  # fmt: skip


def forget(body: bytes, name: str, time: int, unit: str) -> bytes:
    """`body` as if nothing had been learned of a sensor."""
    if not body or name not in NAMES:
        return body
    at = NAMES.index(name)
    if len(body) == _OLD.size:
        told, *old = _OLD.unpack(body)
        old[at::_N] = [0.0] * 6
        return _OLD.pack(_without(told, at, _N + at), *old)
    _check(body, unit)
    told, digest, known, elsewhere = HEAD.unpack_from(body)
    rows = np.ndarray(SHAPE, np.float64, body, HEAD.size).copy()
    rows[:, at] = _BLANK_ROWS[:, 0]
    return Memory(_without(told, at, COLUMNS + at), known, elsewhere, rows).packed(digest)
