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

The score of a reading is how surprising it is that its sensors are so far off (see `surprise`):
from a level with a wave of one day, by event time, which follow by gradient steps (least mean
squares). These distances are in units of the sensor's mean distance from its far mean.

A reading is judged by what was known before it, and learned if it is newer than what the sensor has
learned: each sensor has its own time and count, so that sensors may come one a record, at several
rates, appear and vanish. MOST_SENSORS are remembered, the one not heard of for longest leaves.
"""

from math import cos, sin, sqrt, tau
from statistics import median
from typing import Any, NamedTuple

from stormwatch.domains.maintenance.equipment import Equipment, Sensor
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.normals import (
    LEARNING,
    ROW,
    SIZE,
    YOUNG,
    Normals,
    digest_of,
)
from stormwatch.domains.maintenance.sensors import SENTINELS
from stormwatch.domains.maintenance.surprise import Distances, surprise
from stormwatch.domains.maintenance.surprise import count as count_in
from stormwatch.features import Feature, names

ALPHA = 0.005
"""The least weight of a new reading: half of what is known is of the last 140 readings."""
LEVEL, SCALE = 0.01, 0.001
"""Weights of a reading in the level with the wave of the day, and in what is left on the mean."""
NEAR, FAR = 2 / 5, 2 / 49
"""Weights of a reading in the means of the newest ones: spans of 4 and 48."""
ODD = 5.0
"""Sigmas from its normal at which a sensor is told of."""
FARTHEST = 100.0
"""Units in which these are, beyond which a reading counts as no farther."""
LIMIT = 4.2
"""Decades of surprise at which a reading is an anomaly."""
STAYS = (1.0, 3.0)
"""Near and far distances at which a unit stays far off, surprising or not."""
SCORE_MAX = 1000.0
"""Of sigmas."""
STUCK_AFTER, STUCK_TIMES = 30, 5
"""A sensor that moves is stuck after so many readings of one value in a row, and so many times its
longest such run before."""
_SURE = 100  # readings from which its longest run is believed

FEATURE_SET = "any-2"
FEATURES = (
    Feature("score", "decades of how surprising the reading is", "", "all readings"),
    Feature("judged", "sensors that were judged"),
    Feature("learning", "sensors whose normal is still learned", "", "12 readings"),
    Feature("odd", "sensors at least 5 sigmas from their normal", "", "140 readings"),
    Feature("broken", "sensors that do not measure"),
    Feature("silent_s", "time since the reading before, -1 for the first", "s"),
    Feature("near", "distance of the newest readings, the largest", "", "4 readings"),
    Feature("far", "the same of more readings", "", "48 readings"),
    Feature("beyond", "how far outside all that was seen, in shares of it", "", "all readings"),
)  # fmt: skip
NAMES = names(FEATURES)
FEATURES_BEFORE = {"any-1": NAMES[:6]}
"""Of decisions that earlier versions made; their score was the sigmas of the oddest sensor."""

BROKEN = ("implausible", "sentinel", "stuck")
"""Kinds of findings of sensors that do not measure."""
FAR_OFF = ("near", "off", "beyond")
"""Kinds of findings of sensors that make a reading surprising."""

_K, _C = 2.0, 2.52
_SETTLED = round(1 / ALPHA) - 1  # readings from which the weight is ALPHA
_LEVELLED, _SCALED = round(1 / LEVEL), round(1 / SCALE)  # likewise
_TINY = 1e-12  # of the centre: below it a distance is the rounding of floats
_UNEVEN = 0.05  # of its mean rate: a counter that goes on so evenly is not held to it
_WIDE = 4.0  # sigmas: as much at least counts as seen
_DAY_MS = 86_400_000
_MOST = 65535  # of a count
_PLANS = 1024  # sets of sensors that are kept ready
_NOWHERE = (0.0, 0.0, 0.0)
_NOBODY = ("near", "", 0.0)
_WEIGHTS = [1.0 / (count + 1) for count in range(_SETTLED)]
_DOUBTS = [1.0 + LEARNING / max(count, 1) for count in range(_SETTLED + 1)]
_unpack, _pack = ROW.unpack_from, ROW.pack_into


class Finding(NamedTuple):
    """What is to be said of one sensor of a reading."""

    kind: str  # "odd", "learning", one of BROKEN, one of FAR_OFF
    name: str
    value: float
    centre: float = 0.0  # of "beyond" the lowest value seen
    sigma: float = 0.0  # of "near" and "off" the mean distance from normal; the highest value seen
    score: float = 0.0  # in these; of "beyond" the share of what was seen
    known: int = 0  # readings learned; of a stuck sensor: values in a row


class Findings(NamedTuple):
    """All that is to be said of a reading."""

    score: float  # decades of surprise, 6 decimals
    judged: int
    found: tuple[Finding, ...]
    learned: bool
    distances: Distances = _NOWHERE
    """The largest: near, far, beyond."""


class _Column(NamedTuple):
    """How a sensor is judged, made ready."""

    name: str
    digest: bytes
    low: float
    high: float
    is_counter: bool
    wrap: float
    nominal: float
    noise: float


class Anomalies:
    """The judge of one equipment type."""

    def __init__(self, equipment: Equipment) -> None:
        self._sensors = equipment.sensors
        self._plans: dict[tuple[str, ...], tuple[_Column | None, ...]] = {}

    def advance(
        self, body: bytes, reading: Reading, since: int, *, is_usual: bool = True
    ) -> tuple[bytes, Findings]:
        """What is known of the unit after `reading`, and what there is to say of it.

        Nothing of before `since`, ms, is learned. How far off the unit is counts for what is usual
        if `is_usual`. Raises StateError for a `body` of another layout.
        """
        names = tuple(reading.sensors)
        plan = self._plans.get(names) or self._plan(names)
        known = Normals(body, reading.unit)
        work = _Pass(known, reading.time, since)
        for column, value in zip(plan, reading.sensors.values(), strict=True):
            if column is None:
                continue
            if not column.low <= value <= column.high:
                work.found.append(Finding("implausible", column.name, value))
            elif column.is_counter:
                work.count(value, column)
            else:
                work.take(value, column)
        findings = work.findings(is_usual=is_usual)
        return (known.packed if findings.learned else body), findings

    def _plan(self, names: tuple[str, ...]) -> tuple[_Column | None, ...]:
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        plan = tuple(_column(self._sensors.get(name) or Sensor(name=name)) for name in names)
        self._plans[names] = plan
        return plan


class _Pass:
    """One reading on its way through the rows of what is known."""

    __slots__ = (
        "_beyond", "_cosine", "_expected", "_far", "_is_kept", "_known", "_leads", "_near",
        "_since", "_sine", "_time", "found", "judged", "learned",
    )  # fmt: skip

    def __init__(self, known: Normals, time: int, since: int) -> None:
        self._known, self._time, self._since = known, time, since
        self._expected = 0  # where the next sensor's row is, if they come in the order of before
        turn = tau * (time % _DAY_MS) / _DAY_MS
        self._cosine, self._sine = round(cos(turn), 6), round(sin(turn), 6)  # on any machine
        self._near = self._far = self._beyond = 0.0  # the largest distances
        self._leads: list[tuple[Any, ...]] = [_NOBODY, _NOBODY, _NOBODY]  # whose they are
        self.found: list[Finding] = []
        self.judged, self.learned, self._is_kept = 0, False, False

    def findings(self, *, is_usual: bool) -> Findings:
        """What there is to say, when all sensors were taken; their distances are put to others."""
        if not self.judged:
            return Findings(0.0, 0, tuple(self.found), self.learned)
        distances = (self._near, self._far, self._beyond)
        parts = surprise(self._known.rare, distances)
        score = round(sum(parts), 6)
        if score >= LIMIT:
            told = {each.name for each in self.found}
            for part, lead in zip(parts, self._leads, strict=True):
                if part >= 1.0 and lead[1] not in told:
                    self.found.append(Finding(*lead))
        if self._is_kept and is_usual:
            count_in(self._known.rare, distances)
        near, far, beyond = distances
        rounded = round(near, 6), round(far, 6), round(beyond, 6)
        return Findings(score, self.judged, tuple(self.found), self.learned, rounded)

    def take(self, value: float, column: _Column) -> None:
        """A measurement."""
        rows, at = self._known.rows, self._expected
        if not rows.startswith(column.digest, at):
            at = self._known.place(column.digest, column.nominal, column.noise)
        self._expected = at + SIZE
        row = _unpack(rows, at)
        _, seen, count, run, longest, last, centre, step = row[:8]
        is_new = seen < self._time > self._since
        if count < LEARNING:
            self.found.append(Finding("learning", column.name, value, known=count))
            if is_new:
                self._begin(at, value, value)
            return
        if value == last or not seen:
            in_a_row = run = min(run + is_new, _MOST)
        else:
            in_a_row = 1
            if is_new:
                run, longest, step = _moved(run, longest, step, abs(value - last))
        if in_a_row >= STUCK_AFTER and _is_stuck(in_a_row, longest, count):
            self.judged += 1
            self.found.append(Finding("stuck", column.name, value, centre, known=run))
            if is_new:
                self.learned = True
                _pack(
                    rows, at, row[0], self._time, count, run, longest, value, centre, step, *row[8:]
                )
            return
        self._judge(at, column, row, value, value, run, longest, step, is_new)

    def count(self, value: float, column: _Column) -> None:
        """What a counter shows: it is judged by how fast it went on, units a second."""
        at = self._expected = self._known.place(column.digest, column.nominal, column.noise)
        row = _unpack(self._known.rows, at)
        _, seen, count, _, begun, last = row[:6]
        if not seen < self._time > self._since:
            return
        self.learned = True
        rate = _rate(value, last, column.wrap, self._time - seen) if begun else None
        if rate is None:
            started = (row[0], self._time, count, 1, 1, value, *row[6:8])
            YOUNG.pack_into(self._known.rows, at, *started)
        elif count < LEARNING:
            self.found.append(Finding("learning", column.name, value, known=count))
            self._begin(at, rate, value)
        else:
            self._judge(at, column, row, rate, value, 1, 1, 0.0, True)

    def _judge(
        self, at: int, column: _Column, row: tuple[Any, ...], value: float, raw: float,
        run: int, longest: int, step: float, is_new: bool,
    ) -> None:  # fmt: skip
        """Judge a value, a counter's rate, and learn it; `raw`: as it was read."""
        (
            digest, _, count, _, _, _, centre, _, spread, low, high, level, cosine, sine,
            near, far, scale, *health,
        ) = row  # fmt: skip
        self.judged += 1
        distance = value - centre
        sigma = spread if spread > step else step
        size = centre if centre > 0.0 else -centre
        if column.is_counter and sigma < size * _UNEVEN:
            sigma = size * _UNEVEN
        if sigma <= (least := size * _TINY):
            sigma = least or abs(distance) or 1.0
        z = distance / sigma
        score = (z if z > 0.0 else -z) / _DOUBTS[count if count < _SETTLED else _SETTLED]
        if score >= ODD:
            kind = "odd" if value not in SENTINELS or column.is_counter else "sentinel"
            self.found.append(
                Finding(kind, column.name, value, centre, sigma, min(score, SCORE_MAX))
            )
            if kind == "sentinel":
                return
        unit = scale if scale > step else step
        if unit <= least:
            unit = sigma
        rest = distance - level - cosine * self._cosine - sine * self._sine
        if not -FARTHEST * unit < rest < FARTHEST * unit:
            rest = FARTHEST * unit if rest > 0.0 else -FARTHEST * unit
        near += NEAR * (rest - near)
        away = rest - far if rest > far else far - rest
        far += FAR * (rest - far)
        apart = (near if near > 0.0 else -near) / unit
        if (alone := (rest if near > 0.0 else -rest) / unit) < apart:
            apart = alone  # a reading is not off because one before it was
        if apart > self._near:
            self._near = apart
            self._leads[0] = ("near", column.name, value, value - rest, unit, apart)
        apart = (far if far > 0.0 else -far) / unit
        if apart > self._far:
            self._far = apart
            self._leads[1] = ("off", column.name, value, value - rest, unit, apart)
        if not low <= distance <= high:
            outside = distance - high if distance > high else low - distance
            width = high - low
            apart = outside / (width if width > sigma * _WIDE else sigma * _WIDE)
            if apart > self._beyond:
                self._beyond = apart
                self._leads[2] = ("beyond", column.name, value, centre + low, centre + high, apart)
            low, high = min(low, distance), max(high, distance)
        if not is_new:
            return
        self.learned = self._is_kept = True
        weight = _WEIGHTS[count] if count < _SETTLED else ALPHA
        moved, spread = _learned(spread, sigma, z, weight)
        level += (LEVEL if count > _LEVELLED else weight) * rest - moved
        slow = SCALE if count > _SCALED else 1.0 / (count + 1)
        _pack(
            self._known.rows, at, digest, self._time, count + (count < _MOST), run, longest, raw,
            centre + moved, step, spread, low - moved, high - moved, level,
            cosine + LEVEL * rest * self._cosine, sine + LEVEL * rest * self._sine, near, far,
            scale + slow * (away - scale), *health,
        )  # fmt: skip

    def _begin(self, at: int, value: float, raw: float) -> None:
        """Keep one of the first values of a sensor; with the last of them its normal begins."""
        row, kept = self._known.first(at)
        digest, _, count, run, longest, last, centre, step = row
        self.learned = True
        if count == 0:
            centre, run = value, 1  # the others are kept as their distances from it
        elif raw == last:
            run += 1
        elif value == raw:
            run, longest, step = _moved(run, longest, step, abs(value - last))
        kept.append(value - centre)
        count += 1
        if count == LEARNING:
            middle, spread = _begun(kept)
            young = (digest, self._time, count, run, longest, raw, centre + middle, step)
            self._known.put(at, young, spread, min(kept) - middle, max(kept) - middle)
        else:
            young = (digest, self._time, count, run, longest, raw, centre, step)
            self._known.keep(at, young, kept)


def _learned(spread: float, sigma: float, z: float, weight: float) -> tuple[float, float]:
    """How far the centre moves, and the spread, after a value z sigmas from the centre."""
    if -_K <= z <= _K:
        left = 1.0 - z * z / (_K * _K)
        moved, rho = z, _C * (1.0 - left * left * left)
    else:
        moved, rho = _K if z > 0.0 else -_K, _C
    square = spread * spread
    return weight * moved * sigma, sqrt(square + weight * (rho * sigma * sigma - square))


def _moved(run: int, longest: int, step: float, moved: float) -> tuple[int, int, float]:
    """Run, longest run and smallest step of a sensor that has another value than before."""
    return 1, run if run > longest else longest, step if 0.0 < step <= moved else moved


def _is_stuck(in_a_row: int, longest: int, count: int) -> bool:
    return count >= _SURE and longest > 0 and in_a_row >= STUCK_TIMES * longest


def _column(sensor: Sensor) -> _Column | None:
    if sensor.role not in ("condition", "counter"):
        return None
    return _Column(
        sensor.name, digest_of(sensor.name), *sensor.plausible, sensor.role == "counter",
        sensor.wrap or 0.0, sensor.nominal, sensor.noise,
    )  # fmt: skip


def _rate(value: float, last: float, wrap: float, ms: int) -> float | None:
    """Of a counter, units a second; None where it began again."""
    risen = value - last
    if risen < 0 and wrap:
        risen += wrap
    return risen / ms * 1000.0 if risen >= 0 else None


def _begun(distances: list[float]) -> tuple[float, float]:
    """Centre and spread of the first values of a sensor, given as distances from one of them."""
    middle = median(distances)
    apart = [abs(each - middle) for each in distances]
    return middle, 1.4826 * median(apart) or 1.2533 * sum(apart) / len(apart)
