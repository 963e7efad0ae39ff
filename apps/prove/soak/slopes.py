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


def slope(lives: Iterable[Sequence[Point]]) -> Slope | None:
    """The common slope of several lives; None where too few points were seen."""
    kept = [life for life in lives if len(life) >= 3]
    points = sum(map(len, kept))
    free = points - len(kept) - 1
    centred = [_centred(life) for life in kept]
    xx = sum(x * x for life in centred for x, _ in life)
    if free < 1 or not xx:
        return None
    estimate = sum(x * y for life in centred for x, y in life) / xx
    residuals = [[y - estimate * x for x, y in life] for life in centred]
    left = sum(each * each for life in residuals for each in life)
    alike = _correlation(residuals)
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


def _correlation(residuals: Iterable[Sequence[float]]) -> float:
    """Of each with the one before it in the same life; none below 0, as noise may have it."""
    both = square = 0.0
    for life in residuals:
        both += sum(a * b for a, b in pairwise(life))
        square += sum(each * each for each in life)
    return min(max(both / square, 0.0), 0.99) if square else 0.0


def _centred(life: Sequence[Point]) -> list[Point]:
    mean_x = sum(x for x, _ in life) / len(life)
    mean_y = sum(y for _, y in life) / len(life)
    return [(x - mean_x, y - mean_y) for x, y in life]
