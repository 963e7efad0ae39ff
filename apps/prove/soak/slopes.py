"""Straight lines through samples, with their uncertainty. Pure.

A process that was killed begins anew: its successor has another level, but should have the same
slope. So one slope is fitted for all lives of a component, with a level for each (least squares
with fixed effects: every life is taken about its own means).

Samples that follow each other are alike: n of them tell as much as n (1 - r) / (1 + r) independent
ones, r being the correlation of a residual with the one before it. The interval is as wide as those
allow (Santer et al., Journal of Geophysical Research 105 (2000), 7337, equations 4 to 6).
"""

from collections.abc import Iterable, Sequence
from math import sqrt

import msgspec
import numpy as np
from scipy.special import stdtrit

_HOUR_S = 3600.0
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
    kept = [np.asarray(life, np.float64) for life in lives if len(life) >= 3]
    points = sum(map(len, kept))
    if points - len(kept) < 2:
        return None
    centred = [life - life.mean(axis=0) for life in kept]
    x, y = np.concatenate(centred).T
    xx = float(x @ x)
    if not xx:
        return None
    estimate = float(x @ y) / xx
    residuals = [life[:, 1] - estimate * life[:, 0] for life in centred]
    left = sum(float(each @ each) for each in residuals)
    both = sum(float(each[1:] @ each[:-1]) for each in residuals)
    alike = min(max(both / left, 0.0), 0.99) if left else 0.0  # none below 0, as noise may have it
    worth = max(1, round(points * (1 - alike) / (1 + alike)) - len(kept) - 1)
    error = sqrt(left / worth / xx) * float(stdtrit(worth, 0.975))  # Student's t
    low, middle, high = (_HOUR_S * each for each in (estimate - error, estimate, estimate + error))
    return Slope(middle, low, high, points, len(kept))
