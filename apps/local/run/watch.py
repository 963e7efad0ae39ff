"""Looks at Kafka and Cassandra once a second, in a thread, so that the screen never waits."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from apps.data.streams import Stream
from apps.local.memory import Groups, by_component, total_mb
from apps.local.run.figures import Look, Rates, look, rates
from apps.operate import ledger as ledgers
from apps.operate.ledger_alarm import Alarm
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings

EVERY_S = 1.0
LEDGER_EVERY_S, LEDGER_SHARE = 5.0, 20.0
"""Between two looks at the ledger; at least so many times as long as one takes."""
WINDOW_S = 10
"""Rates and latencies on the screen are of this many seconds."""
ALERTS = 40
"""Newest alerts asked for: enough to show several entities."""


class Connected(Protocol):
    """The services as the watcher needs them."""

    settings: Settings
    admin: Admin
    store: Store


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
        self.alarms: list[str] = []
        """Gaps and overlaps of the ledger that stayed for a minute; never taken back."""
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
        self._ledgers: dict[str, TopicLedger] = {}
        self._alarm = Alarm()
        self._reconcile_at = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.memory = by_component(self._roots())
            if total_mb(self.memory) > total_mb(self.peak):
                self.peak = self.memory
            try:
                for stream in self._streams:
                    self._looks[stream.topology].append(take(stream, self._outside, self._began))
                self._reconcile()
                self.trouble = ""
            except InfrastructureError as error:
                self.trouble = str(error)
            self._ended.wait(EVERY_S)

    def _reconcile(self) -> None:
        """The ledgers, now and then. Raises InfrastructureError."""
        began = time.monotonic()
        if began < self._reconcile_at:
            return
        outside = self._outside
        for stream in self._streams:
            self._ledgers[stream.topology] = ledgers.topic(
                outside.settings, outside.admin, outside.store, stream.topic
            )
        told = {said.partition(" have had")[0] for said in self.alarms}
        for said in self._alarm.look(began, self._ledgers.values()):
            if said.partition(" have had")[0] not in told:
                self.alarms.append(said)
        now = time.monotonic()
        self._reconcile_at = now + max(LEDGER_EVERY_S, LEDGER_SHARE * (now - began))

    def ledger(self, topology: str) -> TopicLedger | None:
        """The newest, None before the first."""
        return self._ledgers.get(topology)

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
