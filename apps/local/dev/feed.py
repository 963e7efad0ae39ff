"""Events for topics in memory, at a rate: generated ones, or those of a file."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from apps.data.publish import Beside, Keyed, topic_of
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin

MOST = 2_000
"""Records at once at most: a slow machine falls behind rather than choke."""


BEHIND_S = 4.0
"""Of what comes in so long, as much may wait: a feed of a `group` leaves the rest out. So a slow
machine shows fewer events, each decided soon, and not a heap that only grows."""


class TopicFeed:
    """Events due by now, put into a topic by `pump`; what comes `Beside`, untold, into its own."""

    def __init__(
        self, broker: MemoryBroker, topic: str, events: Iterator[Any], rate: float, start: float,
        told: Callable[[Any], None], group: str = "",
    ) -> None:  # fmt: skip
        self._broker, self._topic, self._events, self._told = broker, topic, events, told
        self._rate, self._start, self._group = rate, start, group
        self.sent = 0
        self._ended = False

    def pump(self, now: float) -> None:
        """Append what is due at `now` (s, monotonic)."""
        due = max(min(int((now - self._start) * self._rate) - self.sent, MOST), 0)
        if due and self._group and self._waiting(self._group) > BEHIND_S * self._rate:
            self._start = now - self.sent / self._rate
            return
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
        return self._ended and not self._waiting(group)

    def _waiting(self, group: str) -> int:
        admin = MemoryAdmin(self._broker)
        done = admin.committed(group, self._topic)
        return sum(
            marks.high - (done[p].offset if p in done else 0)
            for p, marks in admin.watermarks(self._topic).items()
        )
