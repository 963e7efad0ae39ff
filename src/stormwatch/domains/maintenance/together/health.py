"""The health of the sensors of several turbofans: who is not quickly done is looked at alone."""

from collections.abc import Iterator, Sequence

import numpy as np

from stormwatch.domains.maintenance.health import wearing
from stormwatch.domains.maintenance.health.suspects import MOST, OUT, START
from stormwatch.domains.maintenance.health.wearing import (
    DRIFTED,
    OTHERS,
    SECOND,
    WORN,
    Expected,
    Found,
    is_fine,
)
from stormwatch.domains.maintenance.memory import NAMES, Flags, Floats
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.domains.maintenance.together import calm
from stormwatch.domains.maintenance.together.units import Expectation

_SIGNS = np.array([float(sensor.wear) for sensor in WEARING])
_NONE_GONE = bytes(len(NAMES))


def look(
    bodies: Sequence[bytes], sensors: Sequence[dict[str, float]], values: Floats,
    expected: Expectation,
) -> Iterator[tuple[int, Found]]:  # fmt: skip
    """Learn a reading of each unit of which it is known what to expect; the row of each of which
    there is something to say or to be kept, and that.

    `bodies`: what was kept of each. `values`: those of `sensors`, nan where they are absent.
    """
    z = (values - expected.centre) / expected.sigma
    size = np.abs(z)
    is_odd = (size >= START) & (_SIGNS * z * expected.drift < WORN * size)
    again = np.nonzero((values == expected.last) & ~is_odd)
    for row, place in zip(*(each.tolist() for each in again), strict=True):
        is_odd[row, place] = is_fine(values.item(row, place), expected.sigma.item(row, place))
    is_new = (is_odd | np.isnan(values)).any(axis=1) | _drifts(expected.drift)
    may_be_calm = (~is_new & ((size >= OUT).sum(axis=1) <= MOST)).tolist()
    rows = np.flatnonzero((is_new | [*map(bool, bodies)]) & expected.is_known).tolist()
    watched = [row for row in rows if may_be_calm[row] and bodies[row].startswith(_NONE_GONE)]
    alone = set(rows)
    if watched:
        kept = calm.counted(
            [bodies[row][len(NAMES) :] for row in watched], values[watched], z[watched]
        )
        for row, suspects in zip(watched, kept, strict=True):
            if suspects is not None:
                alone.remove(row)
                yield row, Found(_NONE_GONE + suspects, (), (), frozenset())
    columns = expected[: len(Expected._fields)]
    for row in alone:
        known = Expected(*(column[row].tolist() for column in columns))
        yield row, wearing.look(bodies[row], sensors[row], known)


def _drifts(drift: Floats) -> Flags:
    """Of each unit whether a sensor drifts alone: `wearing.drifter` finds one."""
    sizes = np.sort(np.abs(drift), axis=1)
    most, next_, middle = sizes[:, -1], sizes[:, -2], sizes[:, (len(NAMES) - 1) // 2]
    found: Flags = (most >= DRIFTED) & (middle <= OTHERS) & (next_ <= SECOND * most)
    return found
