"""The last rows of an entity, for models of sequences: bounded, and the same bits through storage.

A window is the packed 32-bit rows (the precision in which such models compute), little-endian, the
oldest first. Rows that an entity does not have yet are zeros before the first. A process that only
keeps windows needs no numpy.
"""

import sys
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 64
"""Rows that a state keeps at most."""


def push(kept: bytes, row: Sequence[float], size: int) -> bytes:
    """`kept` with `row` as its newest, of `size` rows at most.

    What was kept of rows of another length is left out: the window begins again.
    """
    packed = array("f", row)
    if sys.byteorder == "big":
        packed.byteswap()
    added = packed.tobytes()
    if len(kept) % len(added):
        kept = b""
    return (kept + added)[-min(size, MOST) * len(added) :]


def unrolled(kept: bytes, width: int, size: int) -> "NDArray[np.float64]":
    """`size` rows of `width` values one after the other, as `Model.predict` takes them."""
    import numpy as np

    made = np.zeros(size * width)
    found = np.frombuffer(kept, dtype="<f4")[-size * width :]
    made[size * width - len(found) :] = found
    return made


def windows(
    rows: "NDArray[np.float64]", entities: Sequence[str], size: int
) -> "NDArray[np.float64]":
    """Of each row, with whose it is, its window with it as the newest: rows in order of time."""
    import numpy as np

    kept: dict[str, bytes] = {}
    made = np.empty((len(rows), size * rows.shape[1]))
    for at, (row, entity) in enumerate(zip(rows, entities, strict=True)):
        kept[entity] = push(kept.get(entity, b""), row.tolist(), size)
        made[at] = unrolled(kept[entity], rows.shape[1], size)
    return made
