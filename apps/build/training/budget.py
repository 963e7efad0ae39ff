"""Thresholds from what is wanted of a model: so much work a day, and few genuine ones declined."""

import numpy as np
from numpy.typing import NDArray

REVIEW_SHARE = 0.003
"""Of all payments, where nothing else is wanted: so many are reviewed."""
GENUINE_DECLINED = 0.0001
"""Share of the genuine payments that may be declined, where nothing else is wanted."""
VISITS = 0.01
"""Of the days of all units, where nothing else is wanted: on so many a unit is due for service."""
WATCHED = 3.0
"""Times as many are watched as are due for service."""


def above(score: NDArray[np.float64], share: float) -> float:
    """The least score, of six decimals, that no greater share than this has or exceeds."""
    limit = float(np.quantile(score, max(0.0, 1 - share), method="higher"))
    return min(1.0, max(1e-6, float(np.floor(limit * 1e6) + 1) / 1e6))
