"""Endless readings of simulated milling machines, with the failures that come of them.

Our own simulator by the rules that the AI4I 2020 data set documents (Matzka, "Explainable
Artificial Intelligence for Predictive Maintenance Applications", AI4I 2020); its rows are not used.
Each reading is one product. Its variant, low, medium or high quality, wears the tool by 2, 3 or 5
minutes and bears a strain (torque times tool wear) of 11,000, 12,000 or 13,000 min Nm. A product
fails of heat (process less than 8.6 K above air, below 1380 rpm), of power (outside 3500 to
9000 W), of strain, of a tool that breaks at a random wear between 200 and 240 min (else it is
replaced then), and once in a thousand times of no cause that shows. The same arguments give the
same bytes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import pi
from typing import NamedTuple

import msgspec
import numpy as np

from apps.data.generate.readings import START

MINUTE = 60_000
VARIANTS = ((0.5, 2, 11_000.0), (0.3, 3, 12_000.0), (0.2, 5, 13_000.0))
"""Share, tool wear in minutes and greatest strain, of low, medium and high quality."""
BREAKS = 0.4
"""Share of tools that break before they are replaced."""


class Product(NamedTuple):
    """One reading for the topic, and what a simulator knows beside it."""

    key: bytes
    value: bytes
    modes: tuple[str, ...]  # label: the ways in which it failed; mostly none


class _Machine:
    """What a simulator knows of one machine."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.air, self.above = 300.0 + rng.normal(0, 2), 10.0 + rng.normal(0, 1)
        self.renew()

    def renew(self) -> None:
        """A new tool."""
        self.wear, self.ends = 0, self._rng.uniform(200, 240)
        self.breaks = self._rng.random() < BREAKS

    def product(self) -> tuple[dict[str, float], tuple[str, ...]]:
        """The sensors of the next product, and how it failed."""
        rng = self._rng
        # Random walks that are drawn back to their means, with spreads of 2 K and 1 K.
        self.air = 300.0 + 0.999 * (self.air - 300.0) + rng.normal(0, 0.09)
        self.above = 10.0 + 0.999 * (self.above - 10.0) + rng.normal(0, 0.045)
        variant = int(rng.choice(3, p=[share for share, _, _ in VARIANTS]))
        torque = abs(float(rng.normal(40, 10)))
        speed = min(855 + 27_320 / max(torque, 1.0), 2900.0) + float(rng.normal(0, 60))
        air, process = round(self.air, 1), round(self.air + self.above, 1)
        sensors = {
            "air_temperature": air, "process_temperature": process,
            "rotational_speed": round(speed), "torque": round(torque, 1),
            "tool_wear": float(self.wear), "variant": variant + 1.0,
        }  # fmt: skip
        modes = self._modes(sensors, variant)
        self.wear += VARIANTS[variant][1]
        if "tool_wear" in modes or self.wear > self.ends:
            self.renew()
        return sensors, modes

    def _modes(self, sensors: dict[str, float], variant: int) -> tuple[str, ...]:
        torque, speed = sensors["torque"], sensors["rotational_speed"]
        above = sensors["process_temperature"] - sensors["air_temperature"]
        _, wears, strain = VARIANTS[variant]
        ends = self.breaks and self.wear + wears > self.ends
        found = {
            "heat_dissipation": above < 8.6 and speed < 1380,
            "power": not 3500 <= torque * speed * 2 * pi / 60 <= 9000,
            "overstrain": torque * self.wear > strain,
            "tool_wear": ends,
            "random": self._rng.random() < 0.001,
        }
        return tuple(mode for mode, failed in found.items() if failed)


def products(
    seed: int, *, plant: str = "sim", machines: int = 10, start: int = START
) -> Iterator[Product]:
    """Products of `machines` milling machines, in turn, one a minute each, without end.

    `start`: ms. Raises ValueError for no machines.
    """
    if machines < 1:
        raise ValueError(f"machines is {machines}; a plant needs at least 1")
    rng = np.random.default_rng(seed)
    made, tick = [_Machine(rng) for _ in range(machines)], 0
    encode = msgspec.json.Encoder().encode
    while True:
        time = datetime.fromtimestamp((start + tick * MINUTE) / 1000, UTC)
        for number, machine in enumerate(made, 1):
            sensors, modes = machine.product()
            unit = f"{plant}-mill-{number}"
            value = {
                "type": "reading", "id": f"{number}-{tick}", "unit": unit, "time": time,
                "cycle": tick + 1, "sensors": sensors, "equipment": "milling",
            }  # fmt: skip
            yield Product(unit.encode(), encode(value), modes)
        tick += 1
