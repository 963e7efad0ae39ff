"""Units that a sensor may come to be read in by mistake."""

from typing import NamedTuple


class Conversion(NamedTuple):
    """value = slope * normal + offset."""

    words: str
    slope: float
    offset: float = 0.0


CONVERSIONS = (
    Conversion("°C as °F", 1.8, 32.0),
    Conversion("°F as °C", 1 / 1.8, -32 / 1.8),
    Conversion("°C as K", 1.0, 273.15),
    Conversion("K as °C", 1.0, -273.15),
    Conversion("°R as K", 1 / 1.8),
    Conversion("K as °R", 1.8),
    Conversion("°R as °F", 1.0, -459.67),
    Conversion("°F as °R", 1.0, 459.67),
    Conversion("bar as psi", 14.5038),
    Conversion("psi as bar", 1 / 14.5038),
    Conversion("psi as kPa", 6.89476),
    Conversion("kPa as psi", 1 / 6.89476),
    Conversion("m/s as km/h", 3.6),
    Conversion("km/h as m/s", 1 / 3.6),
    Conversion("inches as mm", 25.4),
    Conversion("mm as inches", 1 / 25.4),
    Conversion("Hz as rpm", 60.0),
    Conversion("rpm as Hz", 1 / 60.0),
    *(Conversion(f"{factor:,} times too much", factor) for factor in (10, 100, 1000)),
    *(Conversion(f"{factor:,} times too little", 1 / factor) for factor in (10, 100, 1000)),
)
NEAR = 4.0
"""Sigmas, after the conversion, within which a value fits."""
_TELLING = 0.15  # of the jump: these sigmas have to be less, or anything would fit


def match(value: float, centre: float, sigma: float) -> int:
    """Number of the conversion, from 1, that best makes a value of what is normal; 0 for none."""
    best, found = 1.0, 0
    for nth, each in enumerate(CONVERSIONS, 1):
        meant = each.slope * centre + each.offset
        reach = NEAR * each.slope * sigma
        if reach > 0 and reach <= _TELLING * abs(meant - centre):
            away = abs(value - meant) / reach
            if away < best:
                best, found = away, nth
    return found


def fits(nth: int, value: float, centre: float, sigma: float) -> bool:
    """Whether a value is what is normal, by that conversion."""
    each = CONVERSIONS[nth - 1]
    return abs(value - each.slope * centre - each.offset) <= NEAR * each.slope * sigma
