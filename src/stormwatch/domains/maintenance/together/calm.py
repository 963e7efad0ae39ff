"""Suspects that read as ever, of many units at once: nearly all suspects in nearly all readings.

What a suspect comes to is what `Suspects.look` makes of it, to the bit. Whose reading may change
more than its counts is left to that.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.maintenance.health.suspects import CALM, EARLY, OUT, SLOWLY
from stormwatch.domains.maintenance.sensors import SENTINELS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_COUNTS = (
    "outs", "mids", "returns", "calm", "unit", "fits", "swaps", "zeros", "tops", "bottoms",
    "was_out", "partner",
)  # fmt: skip
_MEASURES = ("mean", "squares", "top", "bottom", "before", "early")
_SUSPECT = np.dtype([
    ("place", "u1"), ("kind", "u1"), ("age", "<u2"), *((name, "u1") for name in _COUNTS),
    *((name, "<f4") for name in _MEASURES),
])  # fmt: skip
"""As `suspects` keeps one."""
_SENTINELS = np.array(sorted(SENTINELS))
_COUNTED = 255  # readings, from which on others count


def counted(kept: Sequence[bytes], values: Floats, z: Floats) -> list[bytes | None]:
    """What is to be kept of units' suspects after a reading of each; None where it may be more than
    calm.

    `kept`: of each unit, one suspect at least. `values`, and `z`, how far they are from normal: a
    row a unit, by the suspects' place.
    """
    whole = bytearray().join(kept)
    found = np.frombuffer(whole, _SUSPECT)
    ends = np.cumsum([len(each) // _SUSPECT.itemsize for each in kept])
    cells = np.searchsorted(ends, np.arange(len(found)), side="right"), found["place"]
    is_calm = _count(found, values[cells], z[cells])
    are_calm = np.logical_and.reduceat(is_calm, [0, *ends[:-1].tolist()]).tolist()
    after, at, made = bytes(whole), 0, list[bytes | None]()
    for before, each in zip(kept, are_calm, strict=True):
        made.append(after[at : at + len(before)] if each else None)
        at += len(before)
    return made


def _count(suspects: NDArray[np.void], values: Floats, z: Floats) -> Flags:
    """Count a reading of each, as if it was calm; of which it was."""
    column = {name: suspects[name] for name in suspects.dtype.names or ()}
    age, calm, was_out = column["age"], column["calm"], column["was_out"]
    is_calm: Flags = (column["kind"] == 0) & (age < _COUNTED)
    is_calm &= ~(values[:, None] == _SENTINELS).any(axis=1)
    value, z = values.astype(np.float32), z.astype(np.float32).astype(np.float64)
    size = np.abs(z)
    is_calm &= size < OUT
    age += 1
    column["mids"] += size >= CALM
    column["returns"] += was_out
    calm += 1
    was_out[:] = 0
    before = column["mean"].astype(np.float64)
    step = z - before
    mean = before + step / age
    column["mean"][:] = mean
    column["squares"][:] = column["squares"] + step * (z - mean)
    np.copyto(column["early"], mean, where=age == EARLY)
    for end, times, hits in (
        (column["top"], column["tops"], value >= column["top"]),
        (column["bottom"], column["bottoms"], value <= column["bottom"]),
    ):
        np.copyto(times, times * (value == end) + 1, where=hits)
        np.copyto(end, value, where=hits)
    is_calm &= ~_may_be_told(column)
    return is_calm


def _may_be_told(column: dict[str, NDArray[Any]]) -> Flags:
    """Of which it may be known now what is wrong, or that nothing is: these and a few others."""
    age, outs = column["age"], column["outs"]
    some, most = 0.08 * age, 0.8 * age
    found: Flags = (
        (np.maximum(np.maximum(column["swaps"], column["fits"]), outs) >= most)
        | (np.maximum(column["tops"], column["bottoms"]) >= np.maximum(some, 4.0))
        | (outs >= np.maximum(some, 3.0))
        | (column["returns"] >= 3)
        | (column["zeros"] >= 2)
        | (column["calm"] >= SLOWLY)
    )
    return found
