"""The last rows of an entity, for models of sequences: bounded, and the same bits through storage.

A window is the packed 32-bit rows (the precision in which such models compute), the oldest first.
Rows that an entity does not have yet are zeros before the first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TYPE = np.dtype("<f4")
MOST = 64
"""Rows that a state keeps at most."""


def push(kept: bytes, row: Sequence[float], size: int) -> bytes:
    """`kept` with `row` as its newest, of `size` rows at most.

    What was kept of rows of another length is left out: the window begins again.
    """
    added = np.array(row, dtype=_TYPE).tobytes()
    if len(kept) % len(added):
        kept = b""
    return (kept + added)[-min(size, MOST) * len(added) :]


def unrolled(kept: bytes, width: int, size: int) -> Floats:
    """`size` rows of `width` values one after the other, as `Model.predict` takes them."""
    made = np.zeros(size * width)
    found = np.frombuffer(kept, dtype=_TYPE)[-size * width :]
    made[size * width - len(found) :] = found
    return made


def windows(rows: Floats, entities: Sequence[str], size: int) -> Floats:
    """Of each row, with whose it is, its window with it as the newest: rows in order of time."""
    kept: dict[str, bytes] = {}
    made = np.empty((len(rows), size * rows.shape[1]))
    for at, (row, entity) in enumerate(zip(rows, entities, strict=True)):
        kept[entity] = push(kept.get(entity, b""), row.tolist(), size)
        made[at] = unrolled(kept[entity], rows.shape[1], size)
    return made
