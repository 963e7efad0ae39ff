"""An interval around an estimate, calibrated on cases that the estimate did not know."""

from bisect import bisect_right

import msgspec


class Interval(msgspec.Struct, frozen=True):
    """Ends by the estimate: straight between the knots `at`, level beyond the first and the last.

    Calibrated by conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in a
    Random World", 2005): over cases like those of the calibration the truth lies within in
    `coverage` of them; of a single case nothing is promised.
    """

    coverage: float
    at: tuple[float, ...]  # estimates, rising
    low: tuple[float, ...]
    high: tuple[float, ...]

    def around(self, estimate: float) -> tuple[float, float]:
        """Lower and upper end, with one decimal; the estimate is within."""
        low, high = self._of(self.low, estimate), self._of(self.high, estimate)
        return round(min(low, estimate), 1), round(max(high, estimate), 1)

    def _of(self, ends: tuple[float, ...], estimate: float) -> float:
        at = self.at
        right = bisect_right(at, estimate)
        if right in (0, len(at)):
            return ends[min(right, len(at) - 1)]
        left = right - 1
        part = (estimate - at[left]) / (at[right] - at[left])
        return ends[left] + part * (ends[right] - ends[left])
