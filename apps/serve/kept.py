"""Answers that take long to find: kept for a while, and found anew behind the question."""

import logging
import time
from collections.abc import Callable, Hashable
from threading import Lock, Thread
from typing import Generic, NamedTuple, TypeVar

from stormwatch.errors import InfrastructureError

_log = logging.getLogger(__name__)
FRESH_S, SHARE = 2.0, 10.0
"""An answer is kept so long, and at least so many times as long as it took to find. Then it is
found anew behind the next question, which is still answered with the old one."""
STALE_S = 60.0
"""One that is older by so much is no answer: nobody asked for a while."""
KEYS = 20
"""Answers that are kept: what was asked for last."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _One(NamedTuple, Generic[T]):
    found: T
    at: float
    took: float

    def overdue(self, now: float) -> float:
        """Seconds beyond those for which it is fresh."""
        return now - self.at - max(FRESH_S, SHARE * self.took)


class Kept(Generic[K, T]):
    """Finds one answer at a time; may be called by several threads."""

    def __init__(self, find: Callable[[K], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._find, self._clock = find, clock
        self._lock = Lock()
        self._kept: dict[K, _One[T]] = {}
        self._behind: set[K] = set()

    def of(self, key: K) -> T:
        """The answer. Raises what `find` raises."""
        kept = self._kept.get(key)
        overdue = STALE_S if kept is None else kept.overdue(self._clock())
        if kept is None or overdue >= STALE_S:
            return self._found(key)
        if overdue >= 0 and key not in self._behind:
            self._behind.add(key)
            Thread(target=self._find_behind, args=(key,), daemon=True).start()
        return kept.found

    def _find_behind(self, key: K) -> None:
        try:
            self._found(key)
        except InfrastructureError as error:  # whoever asks once it is stale is told
            _log.warning("an answer stays as it was: %s", error)
        finally:
            self._behind.discard(key)

    def _found(self, key: K) -> T:
        waited = self._clock()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.at >= waited:  # somebody else asked meanwhile
                return kept.found
            began = self._clock()
            found = self._find(key)
            now = self._clock()
            self._kept.pop(key, None)
            self._kept[key] = _One(found, now, now - began)
            while len(self._kept) > KEYS:
                self._kept.pop(next(iter(self._kept)))
            return found
