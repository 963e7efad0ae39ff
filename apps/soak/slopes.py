"""Straight lines through samples, with their uncertainty. Pure.

A process that was killed begins anew: its successor has another level, but should have the same
slope. So one slope is fitted for all lives of a component, with a level for each (least squares
with fixed effects: every life is taken about its own means).
"""

from collections.abc import Iterable, Sequence
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
    error = sqrt(left / free / xx) * student(free)
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


def _centred(life: Sequence[Point]) -> _Sums:
    count = len(life)
    mean_x = sum(x for x, _ in life) / count
    mean_y = sum(y for _, y in life) / count
    return _Sums(
        sum((x - mean_x) ** 2 for x, _ in life),
        sum((x - mean_x) * (y - mean_y) for x, y in life),
        sum((y - mean_y) ** 2 for _, y in life),
    )
