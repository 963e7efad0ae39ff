"""The health of a turbofan's sensors, against what is expected of this unit in its condition.

What is expected is the slow mean of the unit itself, in the noise of a healthy sensor: wear moves
it along. A sensor at fault, or a suspect that is far off, is left out of the reading that the
remaining life is estimated of: what was known of it stays.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from stormwatch.domains.maintenance.health.suspects import OUT, START, Look, Named, Suspects
from stormwatch.domains.maintenance.sensors import SENTINELS, WEARING

ABSENT = 3
"""Readings in a row without a sensor that was there, from which it is told."""
DRIFTED, OTHERS, SECOND = 3.0, 0.7, 0.4
"""A sensor drifts alone if its mean is so many sigmas from the unit's own baseline, that of the
others in the middle of them no more than OTHERS, and none more than SECOND of it."""
WORN = 1.5
"""Sigmas of drift in the direction of a value that is far off, from which it is wear, which runs
ahead of the slow mean as the unit's end comes."""
_SIGNS = tuple(sensor.wear for sensor in WEARING)
_FINE = 5.0  # of a sensor whose decimals are so much finer than its noise no value comes twice
_NAMES = tuple(sensor.name for sensor in WEARING)
_N = len(_NAMES)
_FULL = 255


class Expected(NamedTuple):
    """Of each wearing sensor, in the condition of a reading."""

    centre: Sequence[float]  # the unit's slow mean
    baseline: Sequence[float]  # and that of its first readings
    sigma: Sequence[float]  # of a healthy sensor
    last: Sequence[float]  # newest value
    drift: Sequence[float]  # of its mean from the baseline, sigmas


class Found(NamedTuple):
    """What a reading tells of the health of its sensors."""

    body: bytes  # to be kept
    named: tuple[tuple[str, float, float, Named], ...]  # sensor, value, what is expected, fault
    absent: tuple[tuple[str, int], ...]  # sensor, readings in a row
    out: frozenset[str]  # sensors that the reading is to be learned without


def names_of(body: bytes) -> frozenset[str]:
    """Sensors that are at fault, as far as a reading that is not learned can tell."""
    suspects = Suspects(body[_N:])
    return frozenset(_NAMES[place] for place in suspects.by_place if suspects.named(place))


def name(place: int) -> str:
    """Of a wearing sensor."""
    return _NAMES[place]


def look(body: bytes, sensors: dict[str, float], expected: Expected) -> Found:
    """Learn a reading; what is wrong with its sensors."""
    gone = bytearray(body[:_N] or bytes(_N))
    suspects = Suspects(body[_N:])
    looks: dict[int, Look] = {}
    off = 0
    for place, sensor in enumerate(_NAMES):
        value = sensors.get(sensor)
        if value is None:
            gone[place] = min(gone[place] + 1, _FULL)
            continue
        gone[place] = 0
        if value in SENTINELS:
            continue
        sigma, is_drift = expected.sigma[place], suspects.kind(place) == "drift"
        centre = (expected.baseline if is_drift else expected.centre)[place]
        z = (value - centre) / sigma
        is_off = not -OUT < z < OUT
        off += is_off
        if (
            place in suspects.by_place
            or (
                not -START < z < START and _SIGNS[place] * z * expected.drift[place] < WORN * abs(z)
            )
            or (value == expected.last[place] and is_fine(value, sigma))
        ):
            looks[place] = Look(place, z, value, centre, sigma, 0.0)
    place = drifter(expected.drift)
    if place >= 0 and _NAMES[place] in sensors and place not in suspects.by_place:
        value, centre = sensors[_NAMES[place]], expected.baseline[place]
        sigma = expected.sigma[place]
        looks[place] = Look(place, (value - centre) / sigma, value, centre, sigma, 0.0)
        suspects.drifts(looks[place])
    named, _, _ = suspects.look(list(looks.values()), _N, off)
    out = {place for place, each in looks.items() if place in suspects.by_place
           and not -OUT < each.z < OUT}  # fmt: skip
    out |= {each.place for each in named}
    kept = suspects.packed
    return Found(
        bytes(gone) + kept if kept or any(gone) else b"",
        tuple((_NAMES[one.place], looks[one.place].value, looks[one.place].centre, one)
              for one in named),
        tuple((_NAMES[at], times) for at, times in enumerate(gone) if times >= ABSENT),
        frozenset(_NAMES[place] for place in out),
    )  # fmt: skip


def drifter(drift: Sequence[float]) -> int:
    """Place of a sensor that drifts alone; -1 for none."""
    sizes = [each if each > 0.0 else -each for each in drift]
    most = max(sizes)
    if most < DRIFTED:
        return -1
    place = sizes.index(most)
    rest = sizes[:place] + sizes[place + 1 :]
    return place if median(rest) <= OTHERS and max(rest) <= SECOND * most else -1


def is_fine(value: float, sigma: float) -> bool:
    """Whether a sensor has so many decimals, beside its noise, that no value comes twice."""
    decimals = len(f"{value!r}".partition(".")[2].rstrip("0"))
    return bool(sigma >= _FINE * 10.0**-decimals)
