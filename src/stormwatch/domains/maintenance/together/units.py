"""What is remembered of the sensors of several turbofans, a row each; see `memory`.

To the bit it is what `memory` makes of each alone: the same operations in the same order.
"""

from collections.abc import Sequence
from itertools import compress
from math import fsum
from typing import NamedTuple

import numpy as np

from stormwatch.domains.maintenance.memory import (
    ALPHAS,
    BASE,
    BASELINE,
    COLUMNS,
    HEAD,
    LAST,
    LONGEST,
    MEANS,
    MID,
    NAMES,
    SETTLED,
    SHAPE,
    SIZE,
    SLOW,
    SQUARES,
    STUCK_AFTER,
    Flags,
    Floats,
    Normal,
    unpacked,
)

_N = len(NAMES)
_ALPHAS = np.ascontiguousarray(ALPHAS.T)
"""Weight of a reading in each of the means, by the readings known."""
_DIGEST = slice(HEAD.size - 20, HEAD.size - 16)
_UNIT = np.dtype(
    {
        "names": ["counts", "runs", "known", "elsewhere", "rows"],
        "formats": [f"{COLUMNS}u1", f"{_N}u1", "<f8", "<f8", f"{SHAPE}<f8"],
        "offsets": [0, COLUMNS, HEAD.size - 16, HEAD.size - 8, HEAD.size],
        "itemsize": SIZE,
    }
)  # fmt: skip


class Units:
    """The sensors of units, unpacked, a row each. To write to the arrays is to write to what is
    kept."""

    __slots__ = ("_kept", "counts", "elsewhere", "known", "rows", "runs")

    def __init__(self, bodies: Sequence[bytes]) -> None:
        """`bodies`: as `body_of` gives them."""
        self._kept = bytearray().join(bodies)
        cells = np.frombuffer(self._kept, _UNIT)
        self.counts, self.runs, self.rows = cells["counts"], cells["runs"], cells["rows"]
        self.known, self.elsewhere = cells["known"], cells["elsewhere"]

    def packed(self) -> list[bytes]:
        """As they are kept."""
        kept = bytes(self._kept)
        return [kept[at : at + SIZE] for at in range(0, len(kept), SIZE)]


def is_of(body: object, normal: Normal) -> bool:
    """Whether a unit is remembered as it is now, and was learned by this normal."""
    mark = normal.digest.to_bytes(4, "little")
    return isinstance(body, bytes) and len(body) == SIZE and body[_DIGEST] == mark


def body_of(body: object, values: Sequence[float], normal: Normal, unit: str) -> bytes:
    """What is kept of a unit, before a reading with these `values`, as it would be kept now.

    Raises StateError where a version with another layout wrote it.
    """
    if is_of(body, normal) and isinstance(body, bytes):
        return body
    return unpacked(body, np.array(values), normal, unit).packed(normal.digest)


class Expectation(NamedTuple):
    """As `health.wearing.Expected`, a row a unit."""

    centre: Floats
    baseline: Floats
    sigma: Floats
    last: Floats
    drift: Floats
    is_known: Flags  # of a unit: whether all of this means something


def expected(units: Units, normal: Normal, conditions: Sequence[int]) -> Expectation:
    """What the sensors of units are expected to read in these conditions, before the readings.

    It means nothing of a sensor whose own baseline is not known yet.
    """
    rows = units.rows[:, :, :_N]
    centre, scale = normal.centre[conditions], normal.scale[conditions]
    base = rows[:, BASE]
    sigma = np.sqrt(rows[:, SQUARES] / (2.0 * BASELINE))
    return Expectation(
        centre + rows[:, SLOW] / scale, centre + base / scale, sigma / np.abs(scale),
        rows[:, LAST], (rows[:, MID] - base) / sigma,
        units.counts[:, :_N].min(axis=1) >= BASELINE,
    )  # fmt: skip


def learn(units: Units, values: Floats, works: Flags, z: Floats) -> None:
    """Learn a reading of each unit: values, which of them work, distances from normal."""
    rows, counts, runs = units.rows, units.counts, units.runs
    last = rows[:, LAST, :_N]
    again = np.where(values == last, np.minimum(runs, LONGEST - 1) + 1, 1)
    np.copyto(runs, again, where=works, casting="unsafe")
    np.copyto(last, values, where=works)
    learned = works & (runs < STUCK_AFTER)
    told = np.empty((len(z), COLUMNS))
    columns = np.ones(told.shape, np.bool_)
    told[:, :_N] = z
    is_all = bool(learned.all())
    if is_all:
        told[:, _N] = [fsum(row) / _N for row in z.tolist()]
    else:
        columns[:, :_N] = learned
        some = [[*compress(*pair)] for pair in zip(z.tolist(), learned.tolist(), strict=True)]
        told[:, _N] = [fsum(row) / max(len(row), 1) for row in some]
        columns[:, _N] = [*map(bool, some)]
    means = rows[:, MEANS]
    step = told[:, None] - means
    if not is_all:
        step = np.where(columns[:, None], step, 0.0)
    away = step[:, BASE - MID, :_N].copy()
    step *= _ALPHAS[counts].transpose(0, 2, 1)
    means += step
    if counts.min() < BASELINE:
        grows = learned & (counts[:, :_N] < BASELINE)
        rows[:, SQUARES, :_N] += np.where(grows, away * (z - rows[:, BASE, :_N]), 0.0)
    np.minimum(counts + columns, SETTLED, out=counts)
