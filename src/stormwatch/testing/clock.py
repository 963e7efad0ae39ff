"""A clock that a test sets."""

from collections.abc import Iterator
from contextlib import contextmanager

from stormwatch.adapters.storm import resources

START_MS = 1_795_252_530_000
"""2026-11-21T09:15:30Z"""


class Clock:
    """The wall clock of components, at a moment of the test's choice. It moves when told to."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        return self.now_ms

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ms += round(seconds * 1000)

    @contextmanager
    def installed(self) -> Iterator["Clock"]:
        """`outside.now_ms` of every component is this clock."""
        before = resources.wall_ns
        resources.wall_ns = lambda: self.now_ms * 1_000_000
        try:
            yield self
        finally:
            resources.wall_ns = before
