"""Generated events for topics in memory, at a rate."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from apps.data.publish import Keyed
from stormwatch.adapters.memory.broker import MemoryBroker

MOST = 2_000
"""Records at once at most: a slow machine falls behind rather than choke."""


class Feed:
    """Events due by now, put into a topic by `pump`."""

    def __init__(
        self, broker: MemoryBroker, topic: str, events: Iterator[Any], rate: float, start: float,
        told: Callable[[Any], None],
    ) -> None:  # fmt: skip
        self._broker, self._topic, self._events, self._told = broker, topic, events, told
        self._rate, self._start = rate, start
        self.sent = 0

    def pump(self, now: float) -> None:
        """Append what is due at `now` (s, monotonic)."""
        due = min(int((now - self._start) * self._rate) - self.sent, MOST)
        event: Keyed
        for event in islice(self._events, max(due, 0)):
            self._told(event)
            self._broker.append(self._topic, event.key, event.value)
            self.sent += 1
