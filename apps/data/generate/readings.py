"""Endless readings of simulated turbofans that wear and fail. Wire format: schema/readings.md.

Our own simulator, of the kind of Saxena et al. (PHM 2008): a unit's health is whole until a random
onset and then worsens exponentially to its last cycle; 14 sensors follow it, each with its own
offset, gain and noise; 7 stay constant. Units of a fleet run side by side, one cycle a step of
time; one that failed is replaced by a new number. Nothing here depends on the clock: the same
arguments give the same bytes.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.data.kinds import FeedOptions
from stormwatch.domains.maintenance.sensors import ALL

HOUR = 3_600_000
START = 1_577_836_800_000
"""2020-01-01T00:00Z, ms. Simulated time runs faster than the wall's: start far in the past."""
FEED_STEP = 60_000
"""Simulated ms between two cycles in a feed: small, so that years pass slowly at full speed."""
LIFE = (130, 350)
"""Shortest and longest life of a unit, cycles."""
STUCK_SHARE = 0.03
"""Share of units of which one sensor sticks for a while."""

Floats = NDArray[np.float64]


class Generated(NamedTuple):
    """One reading for the topic, and what a simulator knows beside it."""

    key: bytes
    value: bytes
    life: int  # label: cycles left after this one
    stuck: str  # label: name of the sensor that repeats its value; mostly ""


# At the end of life each wearing sensor is so many of its noises from where it began: mean, spread.
_SHIFT = {
    "T24": (4.3, 0.9), "T30": (3.9, 0.8), "T50": (6.5, 1.1), "P30": (6.0, 1.2), "Nf": (5.7, 2.2),
    "Nc": (10.0, 11.0), "Ps30": (7.8, 1.5), "phi": (7.0, 1.5), "NRf": (5.8, 2.3),
    "NRc": (9.4, 12.0), "BPR": (5.1, 0.9), "htBleed": (4.2, 0.9), "W31": (4.8, 1.0),
    "W32": (4.9, 0.9),
}  # fmt: skip
_CONSTANT = {
    "T2": 518.67, "P2": 14.62, "P15": 21.61, "epr": 1.3, "farB": 0.03, "Nf_dmd": 2388.0,
    "PCNfR_dmd": 100.0,
}  # fmt: skip
_DECIMALS = {"BPR": 4, "W32": 4, "htBleed": 0}
_NAMES = tuple(sensor.name for sensor in ALL)
CENTRE = np.array([_CONSTANT.get(s.name, s.nominal) for s in ALL])
NOISE = np.array([s.wear * s.noise for s in ALL])  # signed: up is worn; 0 for constants
_GAIN, _SPREAD = np.array([_SHIFT.get(name, (0, 0)) for name in _NAMES]).T
_TENS = 10.0 ** np.array([_DECIMALS.get(name, 2) for name in _NAMES])
_FLAT = _NAMES.index("Nc"), _NAMES.index("NRc")


class Fleet:
    """What a simulator knows of its units, one row each."""

    def __init__(self, rng: np.random.Generator, units: int) -> None:
        self._rng = rng
        self.number = np.arange(1, units + 1)
        self.age = np.zeros(units, int)
        self.life, self.stick_from, self.stick_to, self.stuck = np.zeros((4, units), int)
        self.onset, self.bend = np.zeros((2, units))
        self.offset, self.gain = np.zeros((2, units, len(ALL)))
        self.held = np.zeros(units)
        for row in range(units):
            self.renew(row)

    def renew(self, row: int) -> None:
        """A new unit in this row: its life and how it will show."""
        rng = self._rng
        self.age[row] = 0
        life = self.life[row] = rng.integers(LIFE[0], LIFE[1] + 1)
        self.onset[row] = rng.uniform(0.0, 0.15) * life
        self.bend[row] = rng.uniform(2.8, 3.8)
        self.offset[row] = rng.normal(0, 0.7, len(ALL)) + rng.normal(0, 0.5)
        self.gain[row] = _GAIN + _SPREAD * rng.normal(size=len(ALL))
        self.gain[row, _FLAT] = self.gain[row, _FLAT[0]]  # the core speeds move together
        self.stick_from[row] = rng.integers(0, life) if rng.random() < STUCK_SHARE else life + 1
        self.stick_to[row] = self.stick_from[row] + rng.integers(30, 80)
        self.stuck[row] = rng.choice(np.flatnonzero(NOISE))

    def run(self, centre: Floats = CENTRE, noise: Floats = NOISE) -> Floats:
        """One cycle of every unit; the sensors' values, a row a unit.

        `centre` and signed `noise` of each sensor, of all units or a row each.
        """
        self.age += 1
        worn = np.clip((self.age - self.onset) / (self.life - self.onset), 0, None)
        health = np.expm1(self.bend * worn) / np.expm1(self.bend)
        z = self.offset + self.gain * health[:, None] + self._rng.normal(size=self.gain.shape)
        values: Floats = np.round((centre + noise * z) * _TENS) / _TENS
        for row in np.flatnonzero(
            (self.age >= self.stick_from) & (self.age < self.stick_to)
        ).tolist():
            if self.age[row] in (1, self.stick_from[row]):
                self.held[row] = values[row, self.stuck[row]]
            values[row, self.stuck[row]] = self.held[row]
        return values


def readings(
    seed: int,
    *,
    fleet: str = "sim",
    run: str = "r1",
    units: int = 50,
    start: int = START,
    step: int = HOUR,
) -> Iterator[Generated]:
    """Readings of `units` turbofans at a time, without end: unit by unit, step by step.

    `start` and `step` are ms; `run` sets two runs apart: it is in every id and every key, so that
    the events of a second run are neither duplicates nor late. Raises ValueError for no units.
    """
    if units < 1:
        raise ValueError(f"units is {units}; a fleet needs at least 1")
    rng = np.random.default_rng(seed)
    return lives(rng, Fleet(rng, units), _at_sea_level, fleet, run, start, step)


def _at_sea_level(rng: np.random.Generator, state: Fleet) -> tuple[list[list[float]], Floats]:
    values = state.run()
    flight = (rng.normal(size=(len(values), 2)) * (0.002, 0.0003)).round(4).tolist()
    return [[*each, 100.0] for each in flight], values


Fly = Callable[[np.random.Generator, Fleet], tuple[list[list[float]], Floats]]
"""One cycle of each unit: its settings and its sensors' values."""


def lives(
    rng: np.random.Generator, state: Fleet, fly: Fly, fleet: str, run: str, start: int, step: int
) -> Iterator[Generated]:
    """As `readings`, of a fleet that flies as `fly` says."""
    newest, tick = len(state.number), 0
    encode = msgspec.json.Encoder().encode
    while True:
        time = datetime.fromtimestamp((start + tick * step) / 1000, UTC)
        stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        settings, found = fly(rng, state)
        values = found.tolist()
        sticking = (state.age >= state.stick_from) & (state.age < state.stick_to)
        columns = (state.number, state.age, state.life - state.age, state.stuck, sticking)
        for row, (number, age, left, stuck, sticks) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            unit = f"{fleet}/{run}/{number}"
            value = {
                "type": "reading", "id": f"{run}-{number}-{age}", "unit": unit, "time": stamp,
                "cycle": age, "settings": settings[row],
                "sensors": dict(zip(_NAMES, values[row], strict=True)),
            }  # fmt: skip
            yield Generated(unit.encode(), encode(value), left, _NAMES[stuck] if sticks else "")
        for row in np.flatnonzero(state.age >= state.life).tolist():
            newest += 1
            state.number[row] = newest
            state.renew(row)
        tick += 1


def feed(asked: FeedOptions) -> Iterator[Generated]:
    """For `publish` and `run`: units are new in each run, so theirs need not go on in time."""
    return readings(asked.seed, run=asked.run, units=asked.units, step=FEED_STEP)
