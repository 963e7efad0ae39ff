"""How often a topology may be restarted in place."""

from collections import deque

LIMIT = 3
WINDOW_S = 600.0


class Restarts:
    """At most `LIMIT` within `WINDOW_S`; time is an argument."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Count one more restart if it is allowed."""
        while self._times and now - self._times[0] >= WINDOW_S:
            self._times.popleft()
        if len(self._times) >= LIMIT:
            return False
        self._times.append(now)
        return True

    @property
    def used(self) -> int:
        """Restarts within the window."""
        return len(self._times)
