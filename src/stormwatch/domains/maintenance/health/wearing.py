"""The health of a turbofan's sensors, against what is expected of this unit in its condition.

What is expected is the slow mean of the unit itself, in the noise of a healthy sensor: wear moves
it along. A sensor at fault, or a suspect that is far off, is left out of the reading that the
remaining life is estimated of: what was known of it stays.
"""

from collections.abc import Iterator, Sequence
from math import isnan
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.maintenance.health import calm
from stormwatch.domains.maintenance.health.suspects import MOST, OUT, START, Look, Named, Suspects
from stormwatch.domains.maintenance.sensors import SENTINELS, WEARING

ABSENT = 3
"""Readings in a row without a sensor that was there, from which it is told."""
DRIFTED, OTHERS, SECOND = 3.0, 0.7, 0.4
"""A sensor drifts alone if its mean is so many sigmas from the unit's own baseline, that of the
others in the middle of them no more than OTHERS, and none more than SECOND of it."""
WORN = 1.5
"""Sigmas of drift in the direction of a value that is far off, from which it is wear, which runs
ahead of the slow mean as the unit's end comes."""
_SIGNS = np.array([float(sensor.wear) for sensor in WEARING])
_FINE = 5.0  # of a sensor whose decimals are so much finer than its noise no value comes twice
_NAMES = tuple(sensor.name for sensor in WEARING)
_N = len(_NAMES)
_NONE_GONE = bytes(_N)
_FEW = 6
"""Units whose suspects are looked at one by one quicker than together."""
_FULL = 255

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Expected(NamedTuple):
    """Of units, a row each, and their wearing sensors, in the conditions of their readings."""

    centre: Floats  # the unit's slow mean
    baseline: Floats  # and that of its first readings
    sigma: Floats  # of a healthy sensor
    last: Floats  # newest value
    drift: Floats  # of its mean from the baseline, sigmas
    is_known: Flags  # of a unit: whether all of this means something


class Found(NamedTuple):
    """What a reading tells of the health of its sensors."""

    body: bytes  # to be kept
    named: tuple[tuple[str, float, float, Named], ...]  # sensor, value, what is expected, fault
    absent: tuple[tuple[str, int], ...]  # sensor, readings in a row
    out: list[int]  # places of the sensors that the reading is to be learned without


def named(body: bytes) -> list[int]:
    """Places of sensors that are at fault, as far as a reading that is not learned can tell."""
    suspects = Suspects(body[_N:])
    return [place for place in suspects.by_place if suspects.named(place)]


def name(place: int) -> str:
    """Of a wearing sensor."""
    return _NAMES[place]


def look(
    bodies: Sequence[bytes], told: Sequence[Sequence[float]], values: Floats, expected: Expected,
    looked_at: Flags,
) -> Iterator[tuple[int, Found]]:  # fmt: skip
    """Learn a reading of each unit that is `looked_at`; the row of each of which there is something
    to say or to be kept, and that.

    `bodies`: what was kept of each. `told`, and `values` the same: of the sensors, nan where they
    are absent.
    """
    z = (values - expected.centre) / expected.sigma
    size = np.abs(z)
    is_odd = (size >= START) & (_SIGNS * z * expected.drift < WORN * size)
    is_same = values == expected.last
    drifts = np.abs(expected.drift).max(axis=1) >= DRIFTED
    for row, place in zip(*(each.tolist() for each in np.nonzero(is_same & ~is_odd)), strict=True):
        is_odd[row, place] = _is_fine(told[row][place], expected.sigma[row, place])
    is_new = (is_odd | np.isnan(values)).any(axis=1) | drifts
    off = (size >= OUT).sum(axis=1)
    may_be_calm = (~is_new & (off <= MOST)).tolist()
    has_more = is_new | [*map(bool, bodies)]
    rows = np.flatnonzero(has_more & looked_at & expected.is_known).tolist()
    watched = [row for row in rows if may_be_calm[row] and bodies[row].startswith(_NONE_GONE)]
    if len(watched) >= _FEW:
        kept = calm.counted([bodies[row][_N:] for row in watched], values[watched], z[watched])
        for row, suspects in zip(watched, kept, strict=True):
            if suspects is not None:
                rows.remove(row)
                yield row, Found(_NONE_GONE + suspects, (), (), [])
    for row in rows:
        one = _Reading(
            told[row], z[row].tolist(), expected.centre[row].tolist(),
            expected.baseline[row].tolist(), expected.sigma[row].tolist(),
        )  # fmt: skip
        drifter = _drifter(expected.drift[row].tolist()) if drifts[row] else -1
        odd = np.flatnonzero(is_odd[row]).tolist()
        yield row, one.look(bodies[row], odd, int(off[row]), drifter)


class _Reading(NamedTuple):
    """Of the wearing sensors of one reading."""

    values: Sequence[float]
    z: Sequence[float]
    centre: Sequence[float]
    baseline: Sequence[float]
    sigma: Sequence[float]

    def look(self, body: bytes, odd: list[int], off: int, drifter: int) -> Found:
        """Learn it.

        `odd`: places of sensors that read as never before; `off`: how many are OUT; `drifter`:
        place of the one that drifts alone, or -1.
        """
        suspects, gone = Suspects(body[_N:]), self._gone(body)
        if off:
            off -= sum(value in SENTINELS and not -OUT < z < OUT
                       for value, z in zip(self.values, self.z, strict=True))  # fmt: skip
        looks: dict[int, Look] = {}
        for place in sorted({*suspects.by_place, *odd}):
            value = self.values[place]
            if isnan(value) or value in SENTINELS:
                continue
            is_drift = suspects.kind(place) == "drift"
            looks[place] = look = self._look(place, is_drift=is_drift)
            if is_drift:
                off += (not -OUT < look.z < OUT) - (not -OUT < self.z[place] < OUT)
        if drifter >= 0 and drifter not in suspects.by_place and not isnan(self.values[drifter]):
            looks[drifter] = self._look(drifter, is_drift=True)
            suspects.drifts(looks[drifter])
        if not (looks or suspects.by_place):
            return Found(bytes(gone) if any(gone) else b"", (), _absent(gone), [])
        named, _, _ = suspects.look(list(looks.values()), _N, off)
        out = {place for place, each in looks.items() if place in suspects.by_place
               and not -OUT < each.z < OUT}  # fmt: skip
        out |= {each.place for each in named}
        kept = suspects.packed
        return Found(
            bytes(gone) + kept if kept or any(gone) else b"",
            tuple((_NAMES[one.place], looks[one.place].value, looks[one.place].centre, one)
                  for one in named),
            _absent(gone),
            [*out],
        )  # fmt: skip

    def _look(self, place: int, *, is_drift: bool) -> Look:
        value, sigma, z = self.values[place], self.sigma[place], self.z[place]
        centre = (self.baseline if is_drift else self.centre)[place]
        if is_drift:
            z = (value - centre) / sigma
        return Look(place, z, value, centre, sigma, 0.0)

    def _gone(self, body: bytes) -> bytes:
        """For how many readings in a row each sensor has been absent."""
        return bytes([
            min(before + 1, _FULL) if isnan(value) else 0
            for before, value in zip(body[:_N] or bytes(_N), self.values, strict=True)
        ])  # fmt: skip


def _absent(gone: bytes) -> tuple[tuple[str, int], ...]:
    return tuple((_NAMES[at], times) for at, times in enumerate(gone) if times >= ABSENT)


def _drifter(drift: Sequence[float]) -> int:
    """Place of a sensor that drifts alone; -1 for none."""
    sizes = [each if each > 0.0 else -each for each in drift]
    most = max(sizes)
    if most < DRIFTED:
        return -1
    place = sizes.index(most)
    rest = sizes[:place] + sizes[place + 1 :]
    return place if median(rest) <= OTHERS and max(rest) <= SECOND * most else -1


def _is_fine(value: float, sigma: float) -> bool:
    decimals = len(f"{value!r}".partition(".")[2].rstrip("0"))
    return bool(sigma >= _FINE * 10.0**-decimals)
