"""Which windows a moment belongs to. Times and lengths are integers, ms."""

from typing import NamedTuple


class Sliding(NamedTuple):
    """Windows of `size`, one starting every `step`."""

    size: int
    step: int

    def spans(self, time: int) -> list[tuple[int, int]]:
        """(start, end) of every window over `time`, ascending."""
        last = time - time % self.step
        first = last - (self.size - 1 - time % self.step) // self.step * self.step
        return [(start, start + self.size) for start in range(first, last + 1, self.step)]

    def check(self) -> None:
        """Raises ValueError for lengths that make no windows, or leave gaps between them."""
        if not 0 < self.step <= self.size:
            raise ValueError(f"{self}: 0 < step <= size, or some records belong to no window")


class Tumbling(NamedTuple):
    """Windows of `size`, one after the other."""

    size: int

    def spans(self, time: int) -> list[tuple[int, int]]:
        """The one window over `time`."""
        start = time - time % self.size
        return [(start, start + self.size)]

    def check(self) -> None:
        """Raises ValueError for a size that makes no window."""
        if self.size <= 0:
            raise ValueError(f"{self}: the size must be positive")


class Session(NamedTuple):
    """Records less than `gap` apart, whatever their number."""

    gap: int

    def spans(self, time: int) -> list[tuple[int, int]]:
        """What a record alone would make; `keyed` merges."""
        return [(time, time + self.gap)]

    def check(self) -> None:
        """Raises ValueError for a gap that makes no session."""
        if self.gap <= 0:
            raise ValueError(f"{self}: the gap must be positive")


Shape = Tumbling | Sliding | Session
