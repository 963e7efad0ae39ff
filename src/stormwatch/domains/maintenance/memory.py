"""What is remembered of a turbofan's sensors, 896 bytes a unit: what it is, and how it is kept.

What it means stands in `features` beside this file. All is float64 and the packed bytes *are* the
memory: storing and loading cannot change a bit. Several units are looked at together, a row each;
what a row comes to depends on no other row.
"""

from collections.abc import Sequence
from itertools import compress
from math import fsum, nan
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.health.wearing import Expected
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.errors import StateError
from stormwatch.models.conditions import Condition, Conditions, find
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
_COLUMNS = _N + 1  # the sensors' and the index's
_LAST, MID, _FAST, _BASE, _SLOW, _LONG, SQUARES, _ROWS = range(8)
MEANS, NOW, THEN = slice(MID, SQUARES), slice(MID, _BASE), slice(_BASE, _LONG)
"""Of the rows that are kept those that are means: of these, now (mid, fast) and then (base, slow).
The squares' begins at BASELINE: the weight of the nominal noise, which is 1."""


def _alphas(span: int) -> list[float]:
    return [max(2 / (span + 1), 1 / (n + 1)) for n in range(SETTLED + 1)]


_OWN_ALPHAS = [1 / (n + 1) if n < BASELINE else 0.0 for n in range(SETTLED + 1)]
_ALPHAS = np.array([_alphas(SPANS[1]), _alphas(SPANS[0]), _OWN_ALPHAS, *map(_alphas, SPANS[2:])]).T
"""Weight of a reading in each of the means, by the readings known."""
MOST = 65535.0  # readings known
_LONGEST = 255  # run
_HEAD = Struct(f"<{_COLUMNS + _N}s7xI2d")  # counts and runs, digest of the normal, known, elsewhere
_SIZE = _HEAD.size + _ROWS * _COLUMNS * 8
_DIGEST = slice(_HEAD.size - 20, _HEAD.size - 16)
_UNIT = np.dtype(
    {
        "names": ["counts", "runs", "known", "elsewhere", "rows"],
        "formats": [f"{_COLUMNS}u1", f"{_N}u1", "<f8", "<f8", f"({_ROWS},{_COLUMNS})<f8"],
        "offsets": [0, _COLUMNS, _DIGEST.stop, _DIGEST.stop + 8, _HEAD.size],
        "itemsize": _SIZE,
    }
)  # fmt: skip
_OLD = Struct(f"<{2 * _N}s{6 * _N}f")  # counts and runs; last, fast, mid, slow, base, squares
_BLANK_ROWS = np.zeros((_ROWS, _COLUMNS))
_BLANK_ROWS[_LAST] = nan
_BLANK_ROWS[SQUARES] = BASELINE
_BLANK_ROWS.flags.writeable = False


class Normal:
    """The conditions of a model, made ready; without any, what the type says is normal anywhere."""

    def __init__(self, conditions: Conditions | None = None) -> None:
        """Raises ValueError for conditions that lack a wearing sensor."""
        made = conditions or _OF_TYPE
        places = [made.sensors.index(name) for name in NAMES]
        self.known = made.known
        self.digest = made.digest
        self.mark = made.digest.to_bytes(4, "little")
        self.blank = _packed(bytes(_COLUMNS + _N), made.digest, 0.0, 0.0, _BLANK_ROWS)
        """What is kept of a unit never seen."""
        self.centre = np.array([each.nominal for each in made.known])[:, places]
        self.scale = _WEAR / np.array([each.noise for each in made.known])[:, places]
        """Of each condition: what is normal, and what a distance is multiplied by."""
        self.width = np.abs(self.scale)

    def find(self, reading: Reading) -> int:
        """Number of the reading's condition, or UNKNOWN."""
        return find(self.known, reading.settings)

    def z(self, values: Floats, condition: int | Sequence[int]) -> Floats:
        """Distances from what is normal in a known condition, or in one a row."""
        found: Floats = (values - self.centre[condition]) * self.scale[condition]
        return found


class Units:
    """The sensors of units, unpacked, a row each. To write to the arrays is to write to what is
    kept."""

    __slots__ = ("_kept", "counts", "elsewhere", "known", "rows", "runs")

    def __init__(self, bodies: Sequence[bytes]) -> None:
        """`bodies`: as `body_of` gives them."""
        self._kept = bytearray().join(bodies)
        cells = np.frombuffer(self._kept, _UNIT)
        self.counts, self.runs, self.rows = cells["counts"], cells["runs"], cells["rows"]
        self.known, self.elsewhere = cells["known"], cells["elsewhere"]

    def packed(self) -> list[bytes]:
        """As they are kept."""
        kept = bytes(self._kept)
        return [kept[at : at + _SIZE] for at in range(0, len(kept), _SIZE)]


def _packed(told: bytes, digest: int, known: float, elsewhere: float, rows: Floats) -> bytes:
    return _HEAD.pack(told, digest, known, elsewhere) + rows.tobytes()


def _without(told: bytes, *places: int) -> bytes:
    left = bytearray(told)
    for place in places:
        left[place] = 0
    return bytes(left)


def is_of(body: object, normal: Normal) -> bool:
    """Whether a unit is remembered as it is now, and was learned by this normal."""
    return isinstance(body, bytes) and len(body) == _SIZE and body[_DIGEST] == normal.mark


def body_of(body: object, values: Sequence[float], normal: Normal, unit: str) -> bytes:
    """What is kept of a unit, before a reading with these `values`, as it would be kept now.

    Raises StateError where a version with another layout wrote it.
    """
    if not isinstance(body, bytes):
        raise TypeError("a state with a Life is advanced by its body")
    if not body:
        return normal.blank
    if len(body) == _OLD.size:
        return _of_old(body, np.array(values), normal)
    _check(body, unit)
    return body if body[_DIGEST] == normal.mark else normal.blank


def expected(units: Units, normal: Normal, conditions: Sequence[int]) -> Expected:
    """What the sensors of units are expected to read in these conditions, before the readings.

    It means nothing of a sensor whose own baseline is not known yet.
    """
    rows = units.rows[:, :, :_N]
    centre, scale = normal.centre[conditions], normal.scale[conditions]
    base = rows[:, _BASE]
    sigma = np.sqrt(rows[:, SQUARES] / (2.0 * BASELINE))
    return Expected(
        centre + rows[:, _SLOW] / scale, centre + base / scale, sigma / normal.width[conditions],
        rows[:, _LAST], (rows[:, MID] - base) / sigma,
        units.counts[:, :_N].min(axis=1) >= BASELINE,
    )  # fmt: skip


def _check(body: bytes, unit: str) -> None:
    if len(body) != _SIZE:
        raise StateError(
            f"the state of {unit} has {len(body)} bytes where {LAYOUT} has {_SIZE}: another "
            f"version wrote it. {MENDS}"
        )


def _of_old(body: bytes, values: Floats, normal: Normal) -> bytes:
    """What `maintenance-1` knew, in one condition; of several it mixed what cannot be parted.

    It kept the last value as a z of float32, so only whether it has come again can be told.
    """
    if len(normal.known) > 1:
        return normal.blank
    told, *known = _OLD.unpack(body)
    last, fast, mid, slow, base, squares = np.array(known, dtype=np.float64).reshape(6, _N)
    counts = np.frombuffer(told[:_N], np.uint8)
    seen = counts > 0
    of_type = Normal()
    scale = normal.scale[0] / of_type.scale[0]
    rows = _BLANK_ROWS.copy()
    rows[MEANS, :_N] = np.array([mid, fast, base, slow, slow]) * scale + normal.z(
        of_type.centre[0], 0
    )
    rows[SQUARES, :_N] += squares * scale**2
    came = of_type.z(values, 0).astype(np.float32) == last
    rows[_LAST, :_N] = np.where(came, values, nan)
    rows[:, :_N][:, ~seen] = _BLANK_ROWS[:, :1]
    if seen.any():
        rows[MEANS, _N] = [fsum(row) / seen.sum() for row in rows[MEANS, :_N][:, seen].tolist()]
    told = told[:_N] + bytes([max(told[:_N])]) + told[_N:]
    return _packed(told, normal.digest, 0.0, 0.0, rows)


def learn(units: Units, values: Floats, works: Flags, z: Floats) -> None:
    """Learn a reading of each unit: values, which of them work, distances from normal."""
    rows, counts, runs = units.rows, units.counts, units.runs
    last = rows[:, _LAST, :_N]
    again = np.where(values == last, np.minimum(runs, _LONGEST - 1) + 1, 1)
    np.copyto(runs, again, where=works, casting="unsafe")
    np.copyto(last, values, where=works)
    learned = works & (runs < STUCK_AFTER)
    told = np.empty((len(z), _COLUMNS))
    columns = np.ones(told.shape, np.bool_)
    told[:, :_N] = z
    is_all = bool(learned.all())
    if is_all:
        told[:, _N] = [fsum(row) / _N for row in z.tolist()]
    else:
        columns[:, :_N] = learned
        some = [[*compress(*pair)] for pair in zip(z.tolist(), learned.tolist(), strict=True)]
        told[:, _N] = [fsum(row) / max(len(row), 1) for row in some]
        columns[:, _N] = [*map(bool, some)]
    means = rows[:, MEANS]
    step = told[:, None] - means
    if not is_all:
        step = np.where(columns[:, None], step, 0.0)
    away = step[:, _BASE - MID, :_N].copy()
    step *= _ALPHAS[counts].transpose(0, 2, 1)
    means += step
    if counts.min() < BASELINE:
        grows = learned & (counts[:, :_N] < BASELINE)
        rows[:, SQUARES, :_N] += np.where(grows, away * (z - rows[:, _BASE, :_N]), 0.0)
    np.minimum(counts + columns, SETTLED, out=counts)


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
    told, digest, known, elsewhere = _HEAD.unpack_from(body)
    rows = np.ndarray(_BLANK_ROWS.shape, np.float64, body, _HEAD.size).copy()
    rows[:, at] = _BLANK_ROWS[:, 0]
    return _packed(_without(told, at, _COLUMNS + at), digest, known, elsewhere, rows)
