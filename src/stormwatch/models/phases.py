"""What a model was trained on at each phase of a life, and whether a fleet is still like it. Pure.

Readings of one unit are alike, and all of them drift as it wears: against all training rows at once
a healthy fleet has a stability index of 1 and more (it is younger than the training's, or a dozen
units make its thousands of rows). So a unit is looked at once in a phase of its life, by a reading
of a fixed age, and each is compared with the training's units at that age: bins are quantiles of
the phase, and what is expected of a fleet is the mean over the phases that its units are in.

The population stability index of n units against m of the same kind is by chance about
(1/n + 1/m) times a chi-squared variable of one degree less than there are bins (Yurdakul and
Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
Validation 14 (4), 2020). `Compared.index` is what is above that (CHANCE).
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BINS = 5
LEAST = 30
"""Units of the training that a phase has at least; of others nothing is told."""
CHANCE = 18.47
"""Of chi-squared with BINS - 1 degrees of freedom 999 in 1,000 are below it."""
_ONE = 1.0
"""Unit that is as the training's, beside those that were counted: no bin is empty."""


class Phase(msgspec.Struct, frozen=True, array_like=True):
    """As it stands in a card: float32 arrays, little-endian."""

    number: int
    units: int  # of the training
    edges: bytes  # columns x (BINS - 1)
    shares: bytes  # columns x BINS


class Counted(NamedTuple):
    """What was counted of units."""

    actual: Floats  # columns x BINS
    expected: Floats  # the same, as the training would have it
    rows: int
    rarity: float  # sum over the rows of 1 / units of their phase in the training

    def plus(self, other: "Counted") -> "Counted":
        """Both."""
        return Counted(
            self.actual + other.actual, self.expected + other.expected, self.rows + other.rows,
            self.rarity + other.rarity,
        )  # fmt: skip


def describe(columns: ArrayLike, phases: Sequence[int]) -> list[Phase]:
    """Of rows of units, one a unit and phase; rows of a phase below 0 are of none."""
    rows, of = np.asarray(columns, dtype=np.float64), np.asarray(phases)
    made = []
    for number in sorted({int(each) for each in of if each >= 0}):
        own = rows[of == number]
        if len(own) < LEAST:
            continue
        at = np.arange(1, BINS) / BINS
        edges = np.quantile(own, at, axis=0).T.astype("<f4")
        shares = _smooth(_binned(edges.astype(np.float64), own), np.full(BINS, 1 / BINS))
        made.append(Phase(number, len(own), edges.tobytes(), shares.astype("<f4").tobytes()))
    return made


class Phases:
    """Of a training."""

    def __init__(self, described: Sequence[Phase], columns: int) -> None:
        """Raises ValueError where the arrays do not fit together."""
        self._columns = columns
        self._known = {
            each.number: (
                each.units,
                _array(each.edges, (columns, BINS - 1)),
                _array(each.shares, (columns, BINS)),
            )
            for each in described
        }

    def counted(self, rows: Floats, phases: Sequence[int]) -> Counted:
        """Of one row a unit and phase; those of phases that the training lacks are left out."""
        of = np.asarray(phases)
        actual, expected = np.zeros((2, self._columns, BINS))
        found = Counted(actual, expected, 0, 0.0)
        for number, (units, edges, shares) in self._known.items():
            own = rows[of == number]
            if len(own):
                count = len(own)
                found = found.plus(
                    Counted(_binned(edges, own), shares * count, count, count / units)
                )
        return found

    def knows(self, phase: int) -> bool:
        """Whether the training had enough units of it."""
        return phase in self._known


def indices(counted: Counted, units: int) -> list[float]:
    """Of each column its stability index, as far as it is above chance; 0: it is not.

    `units`: how many different ones the rows are of.
    """
    expected = counted.expected / counted.rows
    actual = _smooth(counted.actual, expected)
    found = ((actual - expected) * np.log(actual / expected)).sum(axis=1)
    chance = CHANCE * (1 / units + counted.rarity / counted.rows)
    above: list[float] = np.maximum(found - chance, 0.0).tolist()
    return above


def _smooth(counts: Floats, expected: Floats) -> Floats:
    found: Floats = (counts + _ONE * expected) / (counts.sum(axis=1, keepdims=True) + _ONE)
    return found


def _binned(edges: Floats, rows: Floats) -> Floats:
    """Of each column how many rows are in each bin; a value on an edge is below it."""
    bins = (rows[:, :, None] > edges).sum(axis=2)
    found: Floats = (bins[:, :, None] == np.arange(BINS)).sum(axis=0).astype(np.float64)
    return found


def _array(data: bytes, shape: tuple[int, ...]) -> Floats:
    return np.frombuffer(data, dtype="<f4").reshape(shape).astype(np.float64)
