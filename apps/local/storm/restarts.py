"""How often a topology may be restarted in place.

A record that kills its process is found by the deaths it causes and then set aside. A restart after
a death that the spout counted on one record does not count here: each brings that to its end.
"""

from collections import deque
from collections.abc import Iterable

LIMIT = 3
WINDOW_S = 600.0
EXCUSED = 2 * LIMIT
"""Two deaths for each record that is set aside."""


class Restarts:
    """At most `LIMIT` within `WINDOW_S`, but for the excused, of which there are at most `EXCUSED`:
    where more records than that kill their process, it is not the records. Time is an argument."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._excuses: set[str] = set()
        self._excusable = False
        self._excused: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Count one more restart if it is allowed."""
        for times in (self._times, self._excused):
            while times and now - times[0] >= WINDOW_S:
                times.popleft()
        if len(self._times) >= LIMIT:
            return False
        self._times.append(now)
        self._excusable = True
        return True

    def excuse(self, reasons: Iterable[str]) -> bool:
        """Do not count the last restart after all, if a reason was never heard before."""
        fresh = set(reasons) - self._excuses
        self._excuses |= fresh
        if not (fresh and self._excusable) or len(self._excused) >= EXCUSED:
            return False
        self._excusable = False
        self._excused.append(self._times.pop())
        return True

    @property
    def used(self) -> int:
        """Restarts within the window."""
        return len(self._times)
