"""Endless readings of simulated turbofans that fly in six conditions. Format: schema/readings.md.

The engines of `apps.data.generate.readings`, but each cycle is a flight in one of six conditions,
drawn at random: altitude, Mach number and throttle. What the sensors read follows the air at the
inlet (standard atmosphere: temperature falls by 1.98 K a thousand feet, pressure with its power
5.256; both rise by flow, gamma 1.4) and the throttle; noise and wear are of another size in each.
Two faults: of the compressor, and of the fan, which shows less in the core and more in the fan.
Altitudes, Mach numbers and throttles are our own and no public data set's.
"""

from collections.abc import Iterator

import numpy as np

from apps.data.generate.readings import CENTRE, HOUR, NOISE, START, Fleet, Floats, Generated, lives
from stormwatch.domains.maintenance.sensors import ALL

CONDITIONS = (
    (0.0, 0.0, 100.0), (6.0, 0.34, 94.0), (14.0, 0.52, 88.0), (23.0, 0.66, 82.0),
    (31.0, 0.78, 76.0), (39.0, 0.82, 70.0),
)  # fmt: skip
"""Altitude, thousands of feet; Mach number; throttle, % of the greatest."""
JITTER = (0.003, 0.0004, 0.0)
FAN_FAULTS = 0.5
"""Share of units whose fan fails."""
_TEMPERATURES = {"T2": 1.0, "T24": 1.0, "T30": 1.0, "T50": 1.0, "htBleed": 0.9}
_PRESSURES = {
    "P2": 1.0, "P15": 0.95, "P30": 0.9, "phi": 0.85, "Ps30": 0.4, "W31": 0.9, "W32": 0.9,
}  # fmt: skip
_SPEEDS = {"Nf": 0.35, "Nc": 0.2, "NRf": 0.3, "NRc": 0.1, "Nf_dmd": 0.35, "PCNfR_dmd": 0.3}
_BY_THROTTLE = {"T30": 0.35, "T50": 0.45, "P30": 0.5, "phi": 0.45, "Ps30": 0.2, "epr": 0.3,
                "W31": 0.5, "W32": 0.5, "farB": 0.3, "BPR": -0.15, "htBleed": 0.2}  # fmt: skip
"""Powers of the inlet's temperature and pressure (of sea level) and of the throttle."""
_FAN = {"T24": 1.4, "Nf": 1.6, "NRf": 1.6, "BPR": 1.4, "Nc": 0.4, "NRc": 0.4, "Ps30": 0.8}
"""What the wear of a fan shows in a sensor, of what that of a compressor shows."""
_NAMES = tuple(sensor.name for sensor in ALL)


def flights(
    seed: int, *, fleet: str = "six", run: str = "r1", units: int = 50, start: int = START,
    step: int = HOUR,
) -> Iterator[Generated]:  # fmt: skip
    """Readings of `units` turbofans at a time, as `readings` has them. Raises ValueError for no
    units."""
    if units < 1:
        raise ValueError(f"units is {units}; a fleet needs at least 1")
    rng = np.random.default_rng(seed)
    return lives(rng, _Flying(rng, units), _fly, fleet, run, start, step)


class _Flying(Fleet):
    """Units of two kinds of fault."""

    def renew(self, row: int) -> None:
        super().renew(row)
        if self._rng.random() < FAN_FAULTS:
            self.gain[row] *= _BY_FAN


def _fly(rng: np.random.Generator, state: Fleet) -> tuple[list[list[float]], Floats]:
    flown = rng.integers(len(CONDITIONS), size=len(state.number))
    values = state.run(_CENTRES[flown], _NOISES[flown])
    settings = _SETTINGS[flown] + rng.normal(size=(len(flown), 3)) * JITTER
    return np.maximum(settings, 0.0).round(4).tolist(), values


def _air(altitude: float, mach: float) -> tuple[float, float]:
    """Temperature and pressure at the inlet, of those at sea level standing still."""
    still, flow = 1 - 0.0068756 * altitude, 1 + 0.2 * mach**2
    return still * flow, still**5.256 * flow**3.5


def _row(altitude: float, mach: float, throttle: float) -> Floats:
    warm, dense = _air(altitude, mach)
    return np.array([
        warm ** _TEMPERATURES.get(name, 0.0)
        * dense ** _PRESSURES.get(name, 0.0)
        * warm ** (0.5 * (name in ("Nf", "Nc")))
        * (throttle / 100) ** (_SPEEDS.get(name, 0.0) + _BY_THROTTLE.get(name, 0.0))
        for name in _NAMES
    ])  # fmt: skip


_SETTINGS = np.array(CONDITIONS)
_RATIOS = np.array([_row(*each) for each in CONDITIONS])
_CENTRES = CENTRE * _RATIOS
_NOISES = NOISE * np.sqrt(np.abs(_RATIOS))
_BY_FAN = np.array([_FAN.get(name, 0.9) for name in _NAMES])
