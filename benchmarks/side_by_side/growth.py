"""How a figure grows with another one: `y = c · x^b`, by least squares in logarithms."""

import math
from collections.abc import Sequence
from typing import NamedTuple

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided 95 %, of 1 to 10 degrees of freedom."""


class Growth(NamedTuple):
    """The exponent with its 95 % interval, which takes the residuals to be normal."""

    exponent: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"x^{self.exponent:.2f} ({self.least:.2f} to {self.most:.2f})"


def fitted(points: Sequence[tuple[float, float]]) -> Growth | None:
    """Of points (x, y), both positive; None where there are fewer than three of them."""
    known = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    count = len(known)
    if count < 3:
        return None
    x_mean = sum(x for x, _ in known) / count
    y_mean = sum(y for _, y in known) / count
    spread = sum((x - x_mean) ** 2 for x, _ in known)
    if not spread:
        return None
    exponent = sum((x - x_mean) * (y - y_mean) for x, y in known) / spread
    rest = sum((y - y_mean - exponent * (x - x_mean)) ** 2 for x, y in known)
    free = count - 2
    half = (_T[free - 1] if free <= len(_T) else 1.96) * math.sqrt(rest / free / spread)
    return Growth(exponent, exponent - half, exponent + half)
