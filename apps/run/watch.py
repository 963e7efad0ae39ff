"""Looks at Kafka and Cassandra once a second, in a thread, so that the screen never waits."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from apps.memory import Groups, by_component, total_mb
from apps.run.figures import Look, Rates, look, rates
from apps.run.streams import Stream
from stormwatch.errors import InfrastructureError
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings

EVERY_S = 1.0
WINDOW_S = 10
"""Rates and latencies on the screen are of this many seconds."""
ALERTS = 40
"""Newest alerts asked for: enough to show several entities."""


class Connected(Protocol):
    """The services as the watcher needs them."""

    settings: Settings
    admin: Admin
    store: Store


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def take(stream: Stream, outside: Connected, began: int) -> Look:
    """One look. Raises InfrastructureError."""
    taken = now_ms()
    marks = outside.admin.watermarks(stream.topic)
    committed = outside.admin.committed(outside.settings.kafka_group, stream.topic)
    high = sum(mark.high for mark in marks.values())
    lag = sum(
        mark.high - max(mark.low, committed[partition].offset if partition in committed else 0)
        for partition, mark in marks.items()
    )
    meters = outside.store.meters(stream.topology)
    newest = outside.store.alerts(stream.topology, ALERTS)
    return look(meters, began, taken, high, max(lag, 0), newest)


class Watcher(threading.Thread):
    """Keeps the looks of the last seconds. An outage is told in `trouble`, never raised."""

    def __init__(
        self,
        streams: Sequence[Stream],
        outside: Connected,
        began: int,
        roots: Callable[[], Mapping[str, Sequence[int]]],
    ) -> None:
        super().__init__(name="watcher", daemon=True)
        self.trouble = ""
        self.memory: Groups = {}
        self.peak: Groups = {}
        """The memory when its total was highest."""
        self._streams = streams
        self._outside = outside
        self._began = began
        self._roots = roots
        self._looks: dict[str, deque[Look]] = {
            stream.topology: deque(maxlen=WINDOW_S + 1) for stream in streams
        }
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.memory = by_component(self._roots())
            if total_mb(self.memory) > total_mb(self.peak):
                self.peak = self.memory
            try:
                for stream in self._streams:
                    self._looks[stream.topology].append(take(stream, self._outside, self._began))
                self.trouble = ""
            except InfrastructureError as error:
                self.trouble = str(error)
            self._ended.wait(EVERY_S)

    def stop(self) -> None:
        """End after the look in hand."""
        self._ended.set()
        if self.ident is not None:
            self.join(timeout=5)

    def latest(self, topology: str) -> Look | None:
        """The newest look, None before the first."""
        looks = self._looks[topology]
        return looks[-1] if looks else None

    def rates(self, topology: str) -> Rates | None:
        """Rates over the window; None before the second look."""
        looks = list(self._looks[topology])
        return rates(looks[0], looks[-1]) if len(looks) > 1 else None
