"""What a model of failures sees of a unit: values of a reading, and what its last ones were like.

The last readings are kept as `models.window` keeps rows: packed 32-bit values, bounded. So means
and spreads are of those, the newest reading's too, and the same whatever the batches.
"""

from array import array
from collections.abc import Sequence
from math import fsum, sqrt
from typing import NamedTuple

from stormwatch.domains.maintenance.equipment import Equipment
from stormwatch.domains.maintenance.equipment.derived import derive
from stormwatch.models.window import push

Row = tuple[float, ...]


class Seen(NamedTuple):
    """Of one reading."""

    row: Row
    """A value for each of the type's `failure_features`."""
    kept: bytes = b""
    """The values of the last readings, this one's the newest; empty where none are kept."""


class Inputs:
    """Of one equipment type. `window`: readings that its model takes at once."""

    def __init__(self, kind: Equipment, window: int = 1) -> None:
        assert kind.failure is not None
        self._steps, self._names = kind.steps, tuple(kind.failure.features)
        self._over = tuple(kind.failure.over)
        self._size = max([*self._over, window if window > 1 else 0], default=0)

    def look(self, kept: bytes, sensors: dict[str, float]) -> Seen | None:
        """What the model sees, `kept` being of the readings before; None where the reading lacks
        some of it."""
        known = derive(self._steps, sensors)
        if known is None:
            return None
        try:
            row = tuple(known[name] for name in self._names)
        except KeyError:
            return None
        if not self._size:
            return Seen(row)
        kept = push(kept, row, self._size)
        return Seen((*row, *self._of_last(kept)) if self._over else row, kept)

    def _of_last(self, kept: bytes) -> Sequence[float]:
        values, width = array("f", kept), len(self._names)
        found: list[float] = []
        for size in self._over:
            for at in range(width):
                own = values[at::width][-size:]
                mean = fsum(own) / len(own)
                found += mean, sqrt(fsum((one - mean) ** 2 for one in own) / len(own))
        return found
