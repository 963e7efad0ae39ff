"""Time for the runner: the machine's clock, and simulated time that components see as the real one.

Components ask `time` directly. Under `simulated` its functions answer the threads of the run with
the run's clock, and everybody else with the machine's; a sleep of a component moves the clock on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stormwatch.runner.clock import SimulatedClock

EPOCH_S = 1_700_000_000.0
"""What `time.time()` is at 0 s of simulated time."""


class RealClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wait(self, until: float) -> None:
        """Sleep until then."""
        time.sleep(max(0.0, until - time.monotonic()))

    def worked(self) -> None:
        """Time passes by itself."""


@contextmanager
def simulated(clock: SimulatedClock) -> Iterator[None]:
    """Components see `clock` as the time for as long as this lasts."""
    answers: dict[str, Callable[..., Any]] = {
        "time": lambda: EPOCH_S + clock.now(),
        "time_ns": lambda: int((EPOCH_S + clock.now()) * 1e9),
        "monotonic": clock.now,
        "monotonic_ns": lambda: int(clock.now() * 1e9),
        "perf_counter": clock.now,
        "perf_counter_ns": lambda: int(clock.now() * 1e9),
        "sleep": clock.sleep,
    }
    real = {name: getattr(time, name) for name in answers}
    for name, answer in answers.items():
        setattr(time, name, _by_thread(answer, real[name]))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(time, name, function)


def _by_thread(ours: Callable[..., Any], theirs: Callable[..., Any]) -> Callable[..., Any]:
    def function(*arguments: Any) -> Any:
        inside = getattr(threading.current_thread(), "strand", None)
        return (theirs if inside is None else ours)(*arguments)

    return function
