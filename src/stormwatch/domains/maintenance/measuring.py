"""One reading on its way through the rows of what is known: see `anomalies`."""

from math import cos, sin, sqrt, tau
from statistics import median
from typing import Any, NamedTuple

from stormwatch.domains.maintenance.equipment import Sensor
from stormwatch.domains.maintenance.findings import LIMIT, Finding, Findings
from stormwatch.domains.maintenance.health import LONGEST, OUT, START, Look, Suspects
from stormwatch.domains.maintenance.normals import (
    GONE,
    LEARNING,
    MEANS,
    MEANS_AT,
    ROW,
    SIZE,
    YOUNG,
    Normals,
    digest_of,
)
from stormwatch.domains.maintenance.outermost import Outermost
from stormwatch.domains.maintenance.sensors import SENTINELS
from stormwatch.domains.maintenance.surprise import count as count_in
from stormwatch.domains.maintenance.surprise import surprise

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
SCORE_MAX = 1000.0
"""Of sigmas."""
STUCK_AFTER, STUCK_TIMES = 30, 5
"""A sensor that moves is stuck after so many readings of one value in a row, and so many times its
longest such run before."""
_SURE = 100  # readings from which its longest run is believed

MISSED = 4.0
"""Readings in a row that would have had a sensor, from which it is told that it is absent."""
COMPARED = 3
"""Sensors that a reading has to have: with fewer their faults and the unit's are not parted."""
MORE = 0.25
"""Of the width of all that was seen: so far outside of it is as never before."""

_K, _C = 2.0, 2.52
_SETTLED = round(1 / ALPHA) - 1  # readings from which the weight is ALPHA
_LEVELLED, _SCALED = round(1 / LEVEL), round(1 / SCALE)  # likewise
_TINY = 1e-12  # of the centre: below it a distance is the rounding of floats
_FINE = 5.0  # of a sensor whose steps are so much smaller than its sigma no value comes twice
_SHARE = 0.05  # weight of a reading in how often a sensor comes
_UNEVEN = 0.05  # of its mean rate: a counter that goes on so evenly is not held to it
_DAY_MS = 86_400_000
_MOST = 65535  # of a count
_WEIGHTS = [1.0 / (count + 1) for count in range(_SETTLED)]
_DOUBTS = [1.0 + LEARNING / max(count, 1) for count in range(_SETTLED + 1)]
_unpack, _pack = ROW.unpack_from, ROW.pack_into


class Column(NamedTuple):
    """How a sensor is judged, made ready."""

    name: str
    digest: bytes
    low: float
    high: float
    is_counter: bool
    wrap: float
    nominal: float
    noise: float


def column_of(sensor: Sensor) -> Column | None:
    if sensor.role not in ("condition", "counter"):
        return None
    return Column(
        sensor.name, digest_of(sensor.name), *sensor.plausible, sensor.role == "counter",
        sensor.wrap or 0.0, sensor.nominal, sensor.noise,
    )  # fmt: skip


class Measuring:
    """One reading on its way through the rows of what is known."""

    __slots__ = (
        "_cosine", "_expected", "_is_kept", "_known", "_looks", "_off", "_outer", "_since", "_sine",
        "_suspects", "_time", "found", "judged", "learned",
    )  # fmt: skip

    def __init__(self, known: Normals, time: int, since: int) -> None:
        self._known, self._time, self._since = known, time, since
        self._expected = 0  # where the next sensor's row is, if they come in the order of before
        turn = tau * (time % _DAY_MS) / _DAY_MS
        self._cosine, self._sine = round(cos(turn), 6), round(sin(turn), 6)  # on any machine
        self._outer = Outermost()
        self._suspects = Suspects(known.watched)
        self._looks: dict[int, tuple[Look, str]] = {}
        self._off = 0  # sensors that are
        self.found: list[Finding] = []
        self.judged, self.learned, self._is_kept = 0, False, False

    def findings(self, *, is_usual: bool) -> Findings:
        """What there is to say, when all sensors were taken; their distances are put to others."""
        outer, known = self._outer, self._known
        parts = surprise(known.rare, outer.distances)
        if self.judged >= COMPARED:
            if name := outer.drifter(parts):
                self._suspects.drifts(outer.farthest)
                self._looks.setdefault(outer.farthest.place, (outer.farthest, name))
            if self._looks:
                self._look()
        score = round(sum(parts), 6)
        shares: tuple[tuple[float, Finding], ...] = ()
        if score >= LIMIT:
            self.found += outer.leads(parts, {each.name for each in self.found})
            shares = tuple(outer.shares(parts))
        if self._is_kept and is_usual:
            count_in(known.rare, outer.distances)
        rounded = round(outer.near, 6), round(outer.far, 6), round(outer.beyond, 6)
        return Findings(score, self.judged, tuple(self.found), self.learned, rounded, shares)

    def _look(self) -> None:
        """Tell what is wrong with which sensor."""
        looks = [look for look, _ in self._looks.values()]
        named, anew, healed = self._suspects.look(looks, self.judged, self._off)
        for each in named:
            look, name = self._looks[each.place]
            _, partner = self._looks.get(each.partner, (look, ""))
            self.found.append(
                Finding(each.kind, name, look.value, look.centre, look.sigma, round(each.mean, 6),
                        each.age, each.unit or partner)
            )  # fmt: skip
        for place in anew:
            at = place * SIZE
            self._known.clear(at, bytes(self._known.rows[at : at + 8]), self._time)
        for place in healed:
            MEANS.pack_into(self._known.rows, place * SIZE + MEANS_AT, 0.0, 0.0)
        self._known.watched = self._suspects.packed
        self.learned = True

    def miss(self, plan: tuple[Column | None, ...], names: dict[bytes, str]) -> None:
        """Count the sensors that are known and not in the reading; tell those that were in it
        nearly always. `names`: of the sensors that the type names, by digest."""
        here = {column.digest for column in plan if column is not None}
        there = ", ".join(sorted(column.name for column in plan if column is not None)[:5])
        rows = self._known.rows
        for at in range(0, len(rows), SIZE):
            row = _unpack(rows, at)
            digest, seen, count, gone, share = row[0], row[1], row[2], row[-2], row[-1]
            if digest in here or count < LEARNING or not seen < self._time > self._since:
                continue
            gone = min(gone + 1.0, _MOST)
            GONE.pack_into(rows, at + SIZE - GONE.size, gone, share)
            self.learned = True
            if count >= _SURE and (gone + 1.0) * share >= MISSED and gone <= LONGEST:
                name = names.get(digest, "")
                self.found.append(
                    Finding("dropout", name, row[5], row[6], known=int(gone), about=there)
                )

    def take(self, value: float, column: Column) -> None:
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

    def count(self, value: float, column: Column) -> None:
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
        self, at: int, column: Column, row: tuple[Any, ...], value: float, raw: float,
        run: int, longest: int, step: float, is_new: bool,
    ) -> None:  # fmt: skip
        """Judge a value, a counter's rate, and learn it; `raw`: as it was read."""
        (
            digest, _, count, _, _, _, centre, _, spread, low, high, level, cosine, sine,
            near, far, scale, gone, share,
        ) = row  # fmt: skip
        self.judged += 1
        distance = value - centre
        sigma, least = _sigma(spread, step, distance, centre, column)
        z = distance / sigma
        look = Look(at // SIZE, z, value, centre, sigma, far / sigma)
        far_off = z if z > 0.0 else -z
        score = min(far_off / _DOUBTS[count if count < _SETTLED else _SETTLED], SCORE_MAX)
        if score >= ODD and value in SENTINELS and not column.is_counter:
            self.found.append(Finding("sentinel", column.name, value, centre, sigma, score))
            return
        fault = False
        if count >= _SURE and is_new and not column.is_counter:
            more = MORE * (high - low)
            is_odd = (far_off >= START and not low - more <= distance <= high + more) or (
                run > longest and run > 1 and step * _FINE < sigma
            )
            fault = self._is_at_fault(look, column, is_odd=is_odd)
        young = (digest, self._time, count, run, longest, raw, centre, step)
        if fault:
            YOUNG.pack_into(self._known.rows, at, *young)
            return
        if score >= ODD:
            self.found.append(Finding("odd", column.name, value, centre, sigma, score))
        unit = scale if scale > step else step
        if unit <= least:
            unit = sigma
        rest = distance - level - cosine * self._cosine - sine * self._sine
        if not -FARTHEST * unit < rest < FARTHEST * unit:
            rest = FARTHEST * unit if rest > 0.0 else -FARTHEST * unit
        near += NEAR * (rest - near)
        away = rest - far if rest > far else far - rest
        far += FAR * (rest - far)
        self._outer.compare(
            column.name, look, rest, near, far, unit, is_sure=is_new and count >= _SURE
        )
        if not low <= distance <= high:
            self._outer.outside(column.name, look, low, high)
            low, high = min(low, distance), max(high, distance)
        if not is_new:
            return
        self.learned = self._is_kept = True
        if far_off >= OUT and look.place in self._suspects.by_place:
            YOUNG.pack_into(self._known.rows, at, *young)
            return
        weight = _WEIGHTS[count] if count < _SETTLED else ALPHA
        moved, spread = _learned(spread, sigma, z, weight)
        level += (LEVEL if count > _LEVELLED else weight) * rest - moved
        slow = SCALE if count > _SCALED else 1.0 / (count + 1)
        _pack(
            self._known.rows, at, digest, self._time, count + (count < _MOST), run, longest, raw,
            centre + moved, step, spread, low - moved, high - moved, level,
            cosine + LEVEL * rest * self._cosine, sine + LEVEL * rest * self._sine, near, far,
            scale + slow * (away - scale), 0.0, share + _SHARE * (1.0 / (gone + 1.0) - share),
        )  # fmt: skip

    def _is_at_fault(self, look: Look, column: Column, *, is_odd: bool) -> bool:
        """Whether it is known what is wrong with a sensor; it is looked at if it is a suspect."""
        self._off += not -OUT < look.z < OUT
        if not is_odd and look.place not in self._suspects.by_place:
            return False
        self._looks[look.place] = look, column.name
        return self._suspects.named(look.place)

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


def _sigma(
    spread: float, step: float, distance: float, centre: float, column: Column
) -> tuple[float, float]:
    """What distances are measured in, and below what they are the rounding of floats."""
    sigma = spread if spread > step else step
    size = centre if centre > 0.0 else -centre
    if column.is_counter and sigma < size * _UNEVEN:
        sigma = size * _UNEVEN
    if sigma <= (least := size * _TINY):
        sigma = least or abs(distance) or 1.0
    return sigma, least


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
