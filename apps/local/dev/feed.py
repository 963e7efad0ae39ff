"""Events for topics in memory, at a rate: generated ones, or those of a file."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from apps.data.publish import Beside, Keyed, topic_of
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin

MOST = 2_000
"""Records at once at most: a slow machine falls behind rather than choke."""


class TopicFeed:
    """Events due by now, put into a topic by `pump`; what comes `Beside`, untold, into its own."""

    def __init__(
        self, broker: MemoryBroker, topic: str, events: Iterator[Any], rate: float, start: float,
        told: Callable[[Any], None],
    ) -> None:  # fmt: skip
        self._broker, self._topic, self._events, self._told = broker, topic, events, told
        self._rate, self._start = rate, start
        self.sent = 0
        self._ended = False

    def pump(self, now: float) -> None:
        """Append what is due at `now` (s, monotonic)."""
        due = max(min(int((now - self._start) * self._rate) - self.sent, MOST), 0)
        before = self.sent
        event: Keyed
        for event in islice(self._events, due):
            if not isinstance(event, Beside):
                self._told(event)
            self._broker.append(topic_of(event, self._topic), event.key, event.value)
            self.sent += 1
        self._ended = self._ended or self.sent < before + due

    def finished(self, group: str) -> bool:
        """Whether there are no more events, and `group` has committed them all."""
        if not self._ended:
            return False
        admin = MemoryAdmin(self._broker)
        done = admin.committed(group, self._topic)
        ends = {p: marks.high for p, marks in admin.watermarks(self._topic).items()}
        return all(p in done and done[p].offset >= end for p, end in ends.items() if end)
