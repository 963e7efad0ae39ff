"""By which of a turbofan's readings it counts when its fleet is compared with the training's.

See `stormwatch.models.phases`: one reading in PERIOD, of units that are known for nearly all of
their life. What is normal of one that was met worn is not what the model learned of.
"""

import numpy as np
from numpy.typing import ArrayLike

from stormwatch.domains.maintenance.features import FEATURE_NAMES, FEATURE_SET

PERIOD, AT = 50, 25
"""Readings that a phase has, and the one of them that counts."""
KNOWN = 0.8
"""Of its cycles that a unit's features have to know, at least."""

AGE, _KNOWN = FEATURE_NAMES.index("age"), FEATURE_NAMES.index("known")
marks = tuple(b'%d.0],"feature_set":"%s"' % (end, FEATURE_SET.encode()) for end in (25, 75))
"""`known` is the last of the features; what it ends with tells most readings that do not count."""


def phases(rows: ArrayLike) -> list[int]:
    """Of rows of features; see `stormwatch.models.fleet_drift.Sampling`."""
    row = np.asarray(rows, dtype=np.float64)
    return phases_of(row[:, _KNOWN], row[:, AGE])


def phases_of(known: ArrayLike, age: ArrayLike) -> list[int]:
    """By how many readings the unit's features know, and its age in cycles."""
    count = np.asarray(known, dtype=np.float64)
    counts = (count % PERIOD == AT) & (count >= KNOWN * np.asarray(age, dtype=np.float64))
    found: list[int] = np.where(counts, count // PERIOD, -1).astype(int).tolist()
    return found
