"""Looks at Kafka and Cassandra once a second, in a thread, so that the screen never waits."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from apps.data.streams import Stream
from apps.local.memory import Groups, by_component, total_mb
from apps.operate import ledger as ledgers
from apps.operate.figures import Look, Rates, rates
from apps.operate.ledger_alarm import Alarm
from apps.operate.looks import Connected, Records, take
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.reconcile import TopicLedger

_log = logging.getLogger(__name__)
EVERY_S = 1.0
LEDGER_EVERY_S, LEDGER_SHARE = 5.0, 20.0
"""Between two looks at the ledger; at least so many times as long as one takes."""
PATIENCE_S = 5.0
"""An outage that is over sooner is not told: the components tell of theirs, and go on."""
WINDOW_S = 10
"""Rates and latencies on the screen are of this many seconds."""


class Watcher(threading.Thread):
    """Keeps the looks of the last seconds. An outage that lasts is told in `trouble`, not raised;
    what else ends the watching is in `ended_by`."""

    def __init__(
        self,
        streams: Sequence[Stream],
        outside: Connected,
        began: int,
        roots: Callable[[], Mapping[str, Sequence[int]]],
    ) -> None:
        super().__init__(name="watcher", daemon=True)
        self.trouble = ""
        self.ended_by: BaseException | None = None
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
        self._well = time.monotonic()  # when all answered
        self._records = Records(outside.settings)

    def run(self) -> None:
        try:
            self._watch()
        except Exception as error:  # whoever leads the run raises it: see `ended_by`
            _log.exception("watching the run ended")
            self.ended_by = error
        finally:
            self._records.close()

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.memory = by_component(self._roots())
            if total_mb(self.memory) > total_mb(self.peak):
                self.peak = self.memory
            try:
                for stream in self._streams:
                    taken = take(stream, self._outside, self._began)
                    self._looks[stream.topology].append(taken)
                    self._records.learn(stream, taken.newest)
                self._reconcile()
                self.trouble, self._well = "", time.monotonic()
            except InfrastructureError as error:
                if time.monotonic() - self._well >= PATIENCE_S:
                    self.trouble = str(error)
            self._ended.wait(EVERY_S)

    def _reconcile(self) -> None:
        """The ledgers, now and then. Raises InfrastructureError."""
        began = time.monotonic()
        if began < self._reconcile_at:
            return
        outside = self._outside
        for stream in self._streams:
            for topic in stream.topics:
                self._ledgers[topic] = ledgers.topic(
                    outside.settings, outside.admin, outside.store, topic
                )
        told = {said.partition(" have had")[0] for said in self.alarms}
        for said in self._alarm.look(began, self._ledgers.values()):
            if said.partition(" have had")[0] not in told:
                self.alarms.append(said)
        now = time.monotonic()
        self._reconcile_at = now + max(LEDGER_EVERY_S, LEDGER_SHARE * (now - began))

    def records(self, topology: str) -> Mapping[tuple[str, str], str]:
        """What the records were that led to alerts, in words, by entity and id."""
        return self._records.words.get(topology, {})

    def ledgers(self, topology: str) -> list[TopicLedger]:
        """The newest of its topics, none before the first."""
        known = self.by_topic()
        mine = (s for s in self._streams if s.topology == topology)
        return [known[topic] for stream in mine for topic in stream.topics if topic in known]

    def by_topic(self) -> Mapping[str, TopicLedger]:
        """The newest ledgers; from any thread."""
        return dict(self._ledgers)

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
