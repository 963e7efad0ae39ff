"""The judge `any`: learns in one pass what is normal of each sensor of a unit; tells anomalies.

The first LEARNING readings of a sensor are kept; their median and MAD (times 1.4826: consistent for
normal noise) begin its normal. Then centre and spread are exponentially weighted means of what is
left of each reading when its distance r from the centre is cut, so that outliers do not drag them:
the robust recursions of Gelper, Fried and Croux, "Robust forecasting with exponential and
Holt-Winters smoothing", Journal of Forecasting 29 (2010),

    centre += a * psi(r / s) * s        psi(z): z within [-k, k], Huber
    s^2 = a * rho(r / s) * s^2 + (1 - a) * s^2    rho(z) = c (1 - (1 - (z / k)^2)^3), c beyond k

with k = 2, c = 2.52 (so that E rho = 1 for normal noise) and the weight a = 1 / (n + 1), at least
ALPHA. A distance is measured in sigmas: s, but never less than the smallest step that the sensor
was ever seen to make, so that what is quantised, a switch too, is not odd for moving by one step.

A reading is judged by what was known before it, and learned if it is newer than what the sensor has
learned: each sensor has its own time and count, so that sensors may come one a record, at several
rates, appear and vanish. MOST_SENSORS are remembered, the one not heard of for longest leaves.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from math import sqrt
from statistics import median
from struct import Struct
from typing import Any, NamedTuple

from stormwatch.domains.maintenance.equipment import Equipment, Sensor
from stormwatch.domains.maintenance.equipment.document import MOST_SENSORS
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.sensors import SENTINELS
from stormwatch.errors import StateError
from stormwatch.state.envelope import MENDS

LEARNING = 12
"""Readings of a sensor that begin its normal."""
ALPHA = 0.005
"""The least weight of a new reading: half of what is known is of the last 140 readings."""
LIMIT = 5.0
"""Sigmas from its normal at which a sensor is odd, once its normal is well known."""
SCORE_MAX = 1000.0
STUCK_AFTER, STUCK_TIMES = 30, 5
"""A sensor that moves is stuck after so many readings of one value in a row, and so many times its
longest such run before."""
_SURE = 100  # readings from which its longest run is believed

FEATURE_SET = "any-1"
FEATURES = ("score", "judged", "learning", "odd", "broken", "silent_s")
"""Of a reading: sigmas of its oddest sensor; how many sensors were judged, are still learned, are
odd, are broken; seconds since the reading before it, -1 for the first."""

_K, _C = 2.0, 2.52
_SETTLED = round(1 / ALPHA) - 1  # readings from which the weight is ALPHA
_TINY = 1e-12  # of the centre: below it a distance is the rounding of floats
_UNEVEN = 0.05  # of its mean rate: a counter that goes on so evenly is not held to it
_ROW = Struct("<8sqHHHddff")
# digest of the name, time (ms) of the newest value, values learned, run of one value, longest run
# before it, newest value, centre, spread, smallest step
_pack, _unpack, _SIZE = _ROW.pack_into, _ROW.unpack_from, _ROW.size
_MOST = 65535  # of a count
_WARM = Struct("<f")
_BLANK = b"\0\0"  # rows, and how many of them are being learned


class Finding(NamedTuple):
    """What is to be said of one sensor of a reading."""

    kind: str  # "odd", "implausible", "sentinel", "stuck", "learning"
    name: str
    value: float
    centre: float = 0.0
    sigma: float = 0.0
    score: float = 0.0
    known: int = 0  # readings learned; of a stuck sensor: values in a row


class Findings(NamedTuple):
    """All that is to be said of a reading."""

    score: float  # sigmas of its oddest sensor, widened while its normal is young
    judged: int
    found: tuple[Finding, ...]
    learned: bool


class _Column(NamedTuple):
    """How a sensor is judged, made ready."""

    digest: bytes
    low: float
    high: float
    is_counter: bool
    wrap: float
    nominal: float
    noise: float


@lru_cache(4096)
def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()


@lru_cache(4096)
def _plain(name: str) -> _Column:
    """Of a sensor that the type does not name."""
    return _Column(_digest(name), -1e15, 1e15, False, 0.0, 0.0, 0.0)


class Anomalies:
    """The judge of one equipment type."""

    def __init__(self, equipment: Equipment) -> None:
        self._columns: dict[str, _Column | None] = {
            name: _column(sensor) for name, sensor in equipment.sensors.items()
        }

    def advance(self, body: bytes, reading: Reading, since: int) -> tuple[bytes, Findings]:
        """What is known of the unit after `reading`, and what there is to say of it.

        Nothing of before `since`, ms, is learned. Raises StateError for a `body` of another layout.
        """
        rows, warm = _unpacked(body or _BLANK, reading.unit)
        work = _Pass(rows, warm, reading.time, since)
        named = self._columns
        for name, value in reading.sensors.items():
            column = named[name] if name in named else _plain(name)
            if column is None:
                continue
            if not column.low <= value <= column.high:
                work.found.append(Finding("implausible", name, value))
            elif column.is_counter:
                work.count(name, value, column)
            else:
                work.take(name, value, column)
        found = work.found
        score = round(min(work.worst, SCORE_MAX), 6)
        findings = Findings(score, work.judged, tuple(found), work.learned)
        return (_packed(rows, warm) if work.learned else body), findings


class _Pass:
    """One reading on its way through the rows of what is known."""

    __slots__ = (
        "_expected", "_rows", "_since", "_time", "_warm", "found", "judged", "learned", "worst",
    )  # fmt: skip

    def __init__(
        self, rows: bytearray, warm: dict[int, list[float]], time: int, since: int
    ) -> None:
        self._rows, self._warm, self._time, self._since = rows, warm, time, since
        self._expected = 0  # where the next sensor's row is, if they come in the order of before
        self.found: list[Finding] = []
        self.worst, self.judged, self.learned = 0.0, 0, False

    def take(self, name: str, value: float, column: "_Column") -> None:
        """A measurement."""
        rows, digest, at = self._rows, column.digest, self._expected
        if at >= len(rows) or (row := _unpack(rows, at))[0] != digest:
            at = _place(rows, self._warm, digest, column)
            row = _unpack(rows, at)
        self._expected = at + _SIZE
        _, seen, count, run, longest, last, centre, spread, step = row
        is_new = seen < self._time > self._since
        if count < LEARNING:
            self.found.append(Finding("learning", name, value, known=count))
            if is_new:
                self._begin(at, digest, value, row)
            return
        if value == last or not seen:
            in_a_row = run = min(run + is_new, _MOST)
        else:
            in_a_row = 1
            if is_new:
                run, longest, step = _moved(run, longest, step, abs(value - last))
        self.judged += 1
        distance = value - centre
        sigma = spread if spread > step else step
        if sigma <= (least := abs(centre) * _TINY):
            sigma = least or abs(distance) or 1.0
        z = distance / sigma
        score = (z if z > 0.0 else -z) / (1.0 + LEARNING / count)
        stuck = in_a_row >= STUCK_AFTER and _is_stuck(in_a_row, longest, count)
        if (stuck or score >= LIMIT) and self._tell(name, value, row, sigma, score, stuck * run):
            return
        self.worst = max(self.worst, score)
        if is_new:
            self.learned = True
            if not stuck:
                centre, spread = _learned(centre, spread, sigma, z, count)
                count += count < _MOST
            _pack(rows, at, digest, self._time, count, run, longest, value, centre, spread, step)

    def count(self, name: str, value: float, column: "_Column") -> None:
        """What a counter shows: it is judged by how fast it went on, units a second."""
        rows, digest = self._rows, column.digest
        at = self._expected = _place(rows, self._warm, digest, column)
        row = _unpack(rows, at)
        _, seen, count, _, begun, last, centre, spread, _ = row
        if not seen < self._time > self._since:
            return
        self.learned = True
        rate = _rate(value, last, column.wrap, self._time - seen) if begun else None
        if rate is None:
            pass
        elif count < LEARNING:
            self.found.append(Finding("learning", name, value, known=count))
            self._begin(at, digest, rate, row)
            _, _, count, _, _, _, centre, spread, _ = _unpack(rows, at)
        else:
            sigma = max(spread, abs(centre) * _UNEVEN) or rate or 1.0
            z = (rate - centre) / sigma
            score = abs(z) / (1.0 + LEARNING / count)
            self.judged += 1
            self.worst = max(self.worst, score)
            if score >= LIMIT:
                self._tell(name, rate, row, sigma, score, 0)
            centre, spread = _learned(centre, spread, sigma, z, count)
            count = min(count + 1, _MOST)
        _pack(rows, at, digest, self._time, count, 1, 1, value, centre, spread, 0.0)

    def _tell(
        self, name: str, value: float, row: tuple[Any, ...], sigma: float, score: float, run: int
    ) -> bool:
        """Note a sensor as stuck, `run` values in a row, or odd; whether it sent no measurement."""
        centre = row[6]
        if run:
            self.found.append(Finding("stuck", name, value, centre, sigma, known=run))
            return False
        is_none = value in SENTINELS
        kind = "sentinel" if is_none else "odd"
        self.found.append(Finding(kind, name, value, centre, sigma, min(score, SCORE_MAX)))
        return is_none

    def _begin(self, at: int, digest: bytes, value: float, row: tuple[Any, ...]) -> None:
        """Keep one of the first values of a sensor; with the last of them its normal begins."""
        _, _, count, run, longest, last, centre, spread, step = row
        self.learned = True
        values = self._warm.setdefault(at, [])
        if count == 0:
            centre, run = value, 1  # the others are kept as their distances from it
        elif value == last:
            run += 1
        else:
            run, longest, step = _moved(run, longest, step, abs(value - last))
        values.append(value - centre)
        count += 1
        if count == LEARNING:
            del self._warm[at]
            centre, spread = _begun(centre, values)
        _pack(self._rows, at, digest, self._time, count, run, longest, value, centre, spread, step)


def _moved(run: int, longest: int, step: float, moved: float) -> tuple[int, int, float]:
    """Run, longest run and smallest step of a sensor that has another value than before."""
    return 1, run if run > longest else longest, step if 0.0 < step <= moved else moved


def _is_stuck(in_a_row: int, longest: int, count: int) -> bool:
    return count >= _SURE and longest > 0 and in_a_row >= STUCK_TIMES * longest


def _learned(
    centre: float, spread: float, sigma: float, z: float, count: int
) -> tuple[float, float]:
    """Centre and spread after a value that is z sigmas from the centre."""
    weight = 1.0 / (count + 1) if count < _SETTLED else ALPHA
    if -_K <= z <= _K:
        rest = 1.0 - z * z / (_K * _K)
        moved, rho = z, _C * (1.0 - rest * rest * rest)
    else:
        moved, rho = _K if z > 0 else -_K, _C
    square = spread * spread
    return centre + weight * moved * sigma, sqrt(square + weight * (rho * sigma * sigma - square))


def forget(body: bytes, name: str, time: int, unit: str) -> bytes:
    """`body` without what it knows of a sensor; what it read until `time` is not learned again.

    Raises StateError for a `body` of another layout.
    """
    if not body:
        return body
    rows, warm = _unpacked(body, unit)
    for at in range(0, len(rows), _SIZE):
        if rows[at : at + 8] == _digest(name):
            _pack(rows, at, _digest(name), time, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)
            warm.pop(at, None)
    return _packed(rows, warm)


def known(body: bytes, unit: str) -> Iterator[tuple[int, float, float]]:
    """Of each sensor known: readings learned, centre and spread; in the order of their coming."""
    for _, _, count, _, _, _, centre, spread, step in _ROW.iter_unpack(_unpacked(body, unit)[0]):
        yield count, centre, max(spread, step)


def known_of(body: bytes, name: str, unit: str) -> tuple[float, float] | None:
    """Centre and spread of one sensor; None as long as they are not known."""
    for row in _ROW.iter_unpack(_unpacked(body, unit)[0]):
        if row[0] == _digest(name) and row[2] >= LEARNING:
            return row[6], max(row[7], row[8])
    return None


def _column(sensor: Sensor) -> _Column | None:
    if sensor.role not in ("condition", "counter"):
        return None
    nominal = (sensor.nominal, sensor.noise)
    return _Column(
        _digest(sensor.name), *sensor.plausible, sensor.role == "counter", sensor.wrap or 0.0,
        *nominal,
    )  # fmt: skip


def _place(rows: bytearray, warm: dict[int, list[float]], digest: bytes, column: _Column) -> int:
    """Where the sensor's row is, or now begins."""
    size = _SIZE
    at = rows.find(digest)
    while at >= 0 and at % size:
        at = rows.find(digest, at + 1)
    if at >= 0:
        return at
    at = len(rows)
    if at >= MOST_SENSORS * size:
        at = min(range(0, at, size), key=lambda each: _unpack(rows, each)[1])
        warm.pop(at, None)
    count = LEARNING if column.noise else 0
    rows[at : at + size] = _ROW.pack(
        digest, 0, count, 0, 0, 0.0, column.nominal, column.noise, 0.0
    )  # fmt: skip
    return at


def _rate(value: float, last: float, wrap: float, ms: int) -> float | None:
    """Of a counter, units a second; None where it began again."""
    risen = value - last
    if risen < 0 and wrap:
        risen += wrap
    return risen / ms * 1000.0 if risen >= 0 else None


def _begun(first: float, distances: list[float]) -> tuple[float, float]:
    """Centre and spread of the first values of a sensor, given as distances from one of them."""
    middle = median(distances)
    apart = [abs(each - middle) for each in distances]
    spread = 1.4826 * median(apart) or 1.2533 * sum(apart) / len(apart)
    return first + middle, spread


def _unpacked(body: bytes, unit: str) -> tuple[bytearray, dict[int, list[float]]]:
    """The rows, and the first distances of those that are being learned, by their row's place."""
    count, learning = body[0], body[1]
    end = 2 + count * _SIZE
    rows = bytearray(body[2:end])
    warm: dict[int, list[float]] = {}
    if learning:
        rest = (each for (each,) in _WARM.iter_unpack(body[end:]))
        for at in range(0, len(rows), _SIZE):
            known = _unpack(rows, at)[2]
            if 0 < known < LEARNING:
                warm[at] = list(islice(rest, known))
                end += known * _WARM.size
    if end != len(body):
        raise StateError(
            f"the state of {unit} has {len(body)} bytes where {FEATURE_SET} has {end}: another "
            f"version wrote it. {MENDS}"
        )
    return rows, warm


def _packed(rows: bytearray, warm: dict[int, list[float]]) -> bytes:
    head = bytes((len(rows) // _SIZE, len(warm)))
    if not warm:
        return head + bytes(rows)
    values = b"".join(_WARM.pack(each) for at in sorted(warm) for each in warm[at])
    return head + bytes(rows) + values
