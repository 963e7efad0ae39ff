"""The time that a run has: simulated here, the machine's in `adapters.task_time`."""

from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds."""

    def now(self) -> float: ...

    def wait(self, until: float) -> None:
        """Return at `until` or a little earlier."""

    def worked(self) -> None:
        """A component has just run: a simulated clock moves on."""


class SimulatedClock:
    """Jumps over what nobody does anything in. Begins at `start` s.

    `cost_s` is what one turn of a component takes: without it a spout that always emits would
    keep the time at a standstill.
    """

    def __init__(self, start: float = 0.0, cost_s: float = 0.000_1) -> None:
        self._now = start
        self._cost_s = cost_s

    def now(self) -> float:
        return self._now

    def wait(self, until: float) -> None:
        self._now = max(self._now, until)

    def worked(self) -> None:
        self._now += self._cost_s

    def sleep(self, seconds: float) -> None:
        """What `time.sleep` is to a component under simulated time."""
        self._now += max(0.0, seconds)
