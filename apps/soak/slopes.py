"""Straight lines through samples, with their uncertainty. Pure.

A process that was killed begins anew: its successor has another level, but should have the same
slope. So one slope is fitted for all lives of a component, with a level for each (least squares
with fixed effects: every life is taken about its own means).

Samples that follow each other are alike: n of them tell as much as n (1 - r) / (1 + r) independent
ones, r being the correlation of a residual with the one before it. The interval is as wide as those
allow (Santer et al., Journal of Geophysical Research 105 (2000), 7337, equations 4 to 6).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf, sqrt
from typing import NamedTuple

import msgspec

Point = tuple[float, float]


class Slope(msgspec.Struct, frozen=True):
    """Per hour of x in seconds: the slope and its 95 % interval."""

    per_hour: float
    low: float
    high: float
    points: int
    lives: int

    @property
    def flat(self) -> bool:
        """Whether no growth at all is within the interval."""
        return self.low <= 0.0


class _Sums(NamedTuple):
    xx: float
    xy: float
    yy: float


def slope(lives: Iterable[Sequence[Point]]) -> Slope | None:
    """The common slope of several lives; None where too few points were seen."""
    kept = [life for life in lives if len(life) >= 3]
    points = sum(map(len, kept))
    free = points - len(kept) - 1
    sums = [_centred(life) for life in kept]
    xx = sum(each.xx for each in sums)
    if free < 1 or not xx:
        return None
    xy, yy = sum(each.xy for each in sums), sum(each.yy for each in sums)
    estimate = xy / xx
    left = max(0.0, yy - estimate * xy)
    alike = _correlation([_residuals(life, estimate) for life in kept])
    worth = max(1, round(points * (1 - alike) / (1 + alike)) - len(kept) - 1)
    error = sqrt(left / worth / xx) * student(worth)
    scale = 3600.0
    return Slope(
        estimate * scale, (estimate - error) * scale, (estimate + error) * scale, points, len(kept)
    )


def student(free: int) -> float:
    """The 97.5 % point of Student's t; Cornish and Fisher's series (Abramowitz, Stegun 26.7.5)."""
    if free <= len(_SMALL):
        return _SMALL[free - 1] if free > 0 else inf
    z = 1.959963985
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / free + second / free**2


_SMALL = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Where the series is not good to three places."""


def _residuals(life: Sequence[Point], estimate: float) -> list[float]:
    mean_x = sum(x for x, _ in life) / len(life)
    mean_y = sum(y for _, y in life) / len(life)
    return [y - mean_y - estimate * (x - mean_x) for x, y in life]


def _correlation(residuals: Iterable[Sequence[float]]) -> float:
    """Of each with the one before it in the same life; none below 0, as noise may have it."""
    both = square = 0.0
    for life in residuals:
        both += sum(a * b for a, b in pairwise(life))
        square += sum(each * each for each in life)
    return min(max(both / square, 0.0), 0.99) if square else 0.0


def _centred(life: Sequence[Point]) -> _Sums:
    count = len(life)
    mean_x = sum(x for x, _ in life) / count
    mean_y = sum(y for _, y in life) / count
    return _Sums(
        sum((x - mean_x) ** 2 for x, _ in life),
        sum((x - mean_x) * (y - mean_y) for x, y in life),
        sum((y - mean_y) ** 2 for _, y in life),
    )
