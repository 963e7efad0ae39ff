"""What is computed of a reading's sensors: named functions that an equipment type chooses from.

Each is pure, of this reading alone, and gives a finite number or None where there is none.
"""

from collections.abc import Callable, Sequence
from math import isfinite, pi
from typing import NamedTuple

Values = Sequence[float]


class Function(NamedTuple):
    """A function of `takes` values and, where `limits` is more than 0, so many numbers of the type
    (-1: as many as it likes, 1 at least)."""

    takes: int
    limits: int
    words: str
    compute: Callable[[Values, Values], float | None]


def _difference(of: Values, _: Values) -> float | None:
    return of[0] - of[1]


def _product(of: Values, _: Values) -> float | None:
    return of[0] * of[1]


def _power(of: Values, _: Values) -> float | None:
    return of[0] * of[1] * (2 * pi / 60)


def _above_limit(of: Values, limits: Values) -> float | None:
    value, variant = of
    if variant != int(variant) or not 1 <= variant <= len(limits):
        return None
    return max(0.0, value / limits[int(variant) - 1] - 1.0)


def _below_both(of: Values, limits: Values) -> float | None:
    return max(0.0, min(1.0 - of[0] / limits[0], 1.0 - of[1] / limits[1]))


def _outside(of: Values, limits: Values) -> float | None:
    return max(0.0, 1.0 - of[0] / limits[0], of[0] / limits[1] - 1.0)


FUNCTIONS = {
    "difference": Function(2, 0, "the first less the second", _difference),
    "product": Function(2, 0, "the first times the second", _product),
    "power": Function(2, 0, "W, of a torque in Nm and a speed in rpm", _power),
    "above_limit": Function(
        2, -1, "how far the first is above a limit, as a share of it; the second, 1, 2 and so on, "
        "says above which; 0 below it", _above_limit,
    ),
    "below_both": Function(
        2, 2, "how far both are below their limits, the nearer one, as a share of it; 0 where "
        "one is not", _below_both,
    ),
    "outside": Function(
        1, 2, "how far the value is outside two limits, as a share of the nearer one; 0 between "
        "them", _outside,
    ),
}  # fmt: skip
"""By the name that a type has under `derived.NAME.function`."""


class Step(NamedTuple):
    """One derived value, made ready."""

    name: str
    of: tuple[str, ...]
    limits: tuple[float, ...]
    compute: Callable[[Values, Values], float | None]


def derive(steps: Sequence[Step], sensors: dict[str, float]) -> dict[str, float] | None:
    """The sensors' values and all that is derived of them; None where one cannot be."""
    known = dict(sensors)
    try:
        for name, of, limits, compute in steps:
            value = compute([known[each] for each in of], limits)
            if value is None or not isfinite(value):
                return None
            known[name] = value
    except KeyError:
        return None
    return known
