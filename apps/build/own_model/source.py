"""What a model was read from, whatever framework it is of."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormwatch.models.trees import Trees

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Any]

COMMON = (
    0.0, -0.0, 0.5, 1.0, -1.0, 1e-3, 37.0, 1e3, -1e3, 1e6, -1e6, 1e9, 1e30, -1e30, 1e-40, math.nan,
)  # fmt: skip
"""What each feature takes in turn where no thresholds are known."""


class Candidate(NamedTuple):
    """A way to score the model here, made only when it is tried."""

    kind: str  # a key of `stormwatch.models.KINDS`
    words: str
    make: Callable[[], bytes]  # raises ModelError or ValueError


class Source(NamedTuple):
    """A model that was brought, and the ways in which it could be scored, the best one first."""

    framework: str  # "XGBoost 3.2.0"
    names: tuple[str, ...] | None  # of its features; None: it does not name them
    width: int  # how many features it takes
    candidates: tuple[Candidate, ...]
    original: Predict | None  # the framework's own score of rows; None: there is only the file
    trees: Trees | None = None  # whose thresholds tell which rows to compare
    common: tuple[float, ...] = COMMON
    window: int = 1
    probability: bool | None = None  # what it says of itself; None: nothing
    libraries: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
