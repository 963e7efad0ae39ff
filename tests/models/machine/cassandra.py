"""A model of Cassandra that may lose, delay or half-apply what it is asked to write.

Each row of a request meets a fate of its own: it is applied, never applied, or under way, to land
at any later time, long after the request timed out and whoever sent it is dead. Whichever it was,
the one who asked hears only that the write was not confirmed.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import cycle
from typing import NamedTuple

from stormwatch.adapters.memory.store import Fault, MemoryStore, Write
from stormwatch.errors import StoreUnavailable


class WriteResult(Enum):
    """What becomes of a row whose request is not confirmed."""

    APPLIED = "applied"
    LOST = "lost"
    LATER = "later"

    __repr__ = Enum.__str__


class Trouble(NamedTuple):
    """The fates of a request's rows, in turn and over again; the requests `before` it succeed."""

    before: int
    fates: Sequence[WriteResult]


class Cassandra(MemoryStore):
    """`trouble` meets one request, then it is over. `landed` is told of each row applied."""

    def __init__(self, landed: Callable[[Write], None]) -> None:
        super().__init__()
        self.trouble: Trouble | None = None
        self.under_way: list[Write] = []
        self._landed = landed

    def land(self, which: int) -> None:
        """A row under way arrives."""
        self._apply([self.under_way.pop(which)])

    def _fail(self, method: str) -> Fault | None:
        if not method.startswith("write") and self._met():
            raise StoreUnavailable(f"no answer to {method}")
        return super()._fail(method)

    def _write(self, method: str, writes: list[Write]) -> None:
        fates = self._met()
        if not fates:
            self._apply(writes)
            return
        for write, fate in zip(writes, cycle(fates), strict=False):
            if fate is WriteResult.APPLIED:
                self._apply([write])
            elif fate is WriteResult.LATER:
                self.under_way.append(write)
        raise StoreUnavailable(f"{method} was not confirmed")

    def _met(self) -> Sequence[WriteResult]:
        """The fates of the request that is made now; nothing if all is well."""
        trouble, self.trouble = self.trouble, None
        if trouble is None or not trouble.before:
            return trouble.fates if trouble else ()
        self.trouble = Trouble(trouble.before - 1, trouble.fates)
        return ()

    def _apply(self, writes: list[Write]) -> None:
        super()._apply(writes)
        for write in writes:
            self._landed(write)
