"""Looks at Kafka and Cassandra once a second, in a thread, so that the screen never waits."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from apps.data.in_words import record_in_words
from apps.data.streams import Stream
from apps.local.memory import Groups, by_component, total_mb
from apps.local.run.figures import Look, Rates, look, rates
from apps.operate import ledger as ledgers
from apps.operate.ledger_alarm import Alarm
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Admin, Source, Store
from stormwatch.records import DecisionRow
from stormwatch.settings import Settings

_log = logging.getLogger(__name__)
EVERY_S = 1.0
LEDGER_EVERY_S, LEDGER_SHARE = 5.0, 20.0
"""Between two looks at the ledger; at least so many times as long as one takes."""
PATIENCE_S = 5.0
"""An outage that is over sooner is not told: the components tell of theirs, and go on."""
WINDOW_S = 10
"""Rates and latencies on the screen are of this many seconds."""
RECORDS, RECORDS_AT_ONCE, RECORD_TRIES = 500, 5, 3
"""Records of alerts that are remembered, read in one look, and asked for again."""
ALERTS = 40
"""Newest alerts asked for: enough to show several entities."""


class _Place(msgspec.Struct):
    partition: int
    offset: int


_place = msgspec.json.Decoder(_Place).decode


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
    alerts = outside.store.alerts(stream.topology, ALERTS)
    newest = [row for row in alerts if row.timestamp >= began]  # not those of the run before
    return look(meters, began, taken, high, max(lag, 0), newest)


class Records:
    """What the records were that led to alerts: each is read once from Kafka, a few at a time."""

    def __init__(self, settings: Settings) -> None:
        self.words: dict[str, dict[tuple[str, str], str]] = {}
        self._settings = settings
        self._sources: dict[str, Source] = {}
        self._missed: Counter[tuple[str, str]] = Counter()

    def learn(self, stream: Stream, rows: Sequence[DecisionRow]) -> None:
        """Read those that are not known yet. Raises BrokerUnavailable."""
        known = self.words.setdefault(stream.topology, {})
        fresh = [row for row in rows if (row.entity, row.id) not in known]
        for row in fresh[:RECORDS_AT_ONCE]:
            value = self._read(stream, row)
            if value is None and self._missed[row.entity, row.id] < RECORD_TRIES:
                self._missed[row.entity, row.id] += 1
                return  # Kafka was slow; another look
            known[row.entity, row.id] = record_in_words(stream.events, value or b"")
        while len(known) > RECORDS:
            known.pop(next(iter(known)))

    def _read(self, stream: Stream, row: DecisionRow) -> bytes | None:
        """Its value; None where Kafka gave none in time."""
        from stormwatch.adapters import connect

        try:
            place = _place(row.body)
        except msgspec.MsgspecError:
            return b""  # written by another version
        source = self._sources.get(stream.topic)
        if source is None:
            source = self._sources[stream.topic] = connect.source(self._settings, stream.topic)
        found = source.peek({place.partition: place.offset})
        return found[place.partition].value or b"" if found else None

    def close(self) -> None:
        """Leave Kafka."""
        for source in self._sources.values():
            source.close()


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
            self._ledgers[stream.topology] = ledgers.topic(
                outside.settings, outside.admin, outside.store, stream.topic
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
