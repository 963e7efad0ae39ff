"""The newest alerts of all that runs, told as soon as they are stored.

A bolt publishes an alert once its decision is committed. So the topic of alerts is the bell: this
thread waits for the next record there, and then asks the store what stands. Between two looks it
rests as long as one took, so that it takes half of a core's time at most.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Protocol

from apps.data.streams import Stream
from apps.operate.looks import Connected, Records, newest_alerts
from apps.serve import answers
from apps.serve.reader import summary, worked
from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.errors import InfrastructureError
from stormwatch.ports import Source

_log = logging.getLogger(__name__)
EVERY_S, IDLE_S = 0.1, 2.0
"""Between two looks at least, while somebody looks on; and while nobody does."""
UNRUNG_S = 1.0
"""An alert that no record told of, and what people did about alerts, is noticed after so long."""
READER_S = 0.001
"""A look is so much later for each reader: to tell them all takes about half of that."""
_RECORDS, _ASK_S = 1_000, 0.5


class Watched(Protocol):
    """Who is told."""

    watching: int

    @property
    def there(self) -> Sequence[Stream]: ...
    def tell(self, name: str, told: answers.Alerts) -> None: ...


class Outside(Connected, Protocol):
    """The services."""

    @property
    def store(self) -> Archive: ...


class Newest(Thread):
    """Looks until `stop`."""

    def __init__(self, outside: Outside, told: Watched) -> None:
        super().__init__(name="newest", daemon=True)
        self.asked = Event()
        """Set when somebody begins to look on."""
        self._outside, self._told = outside, told
        self._ended = Event()
        self._records = Records(outside.settings)
        self._bell: Source | None = None

    def run(self) -> None:
        try:
            while not self._ended.is_set():
                began = time.monotonic()
                try:
                    # What does not answer is told by who looks at figures: it asks the same.
                    with suppress(InfrastructureError):
                        self.look()
                except Exception:  # the page keeps what it has until a look goes well
                    _log.exception("a look at alerts failed")
                self._rest(time.monotonic() - began)
        finally:
            self._records.close()
            self._leave()

    def stop(self) -> None:
        """End after the look in hand."""
        self._ended.set()
        self.asked.set()
        if self.ident is not None:
            self.join(timeout=5)

    def look(self) -> None:
        """Ask the store, and tell. Raises InfrastructureError."""
        alerts: list[answers.Summary] = []
        for stream in self._told.there:
            rows = newest_alerts(stream, self._outside.store)
            self._records.learn(stream, rows)
            said = self._records.words.get(stream.topology, {})
            alerts += worked(self._outside.store, stream.topology, [
                summary(stream.topology, row, said.get((row.entity, row.id), "")) for row in rows
            ])  # fmt: skip
        self._told.tell("alerts", answers.Alerts(sorted(alerts, key=lambda a: -a.timestamp)))

    def _rest(self, took: float) -> None:
        if not self._told.watching:
            self._leave()
            self.asked.wait(IDLE_S)
        elif not self.asked.is_set():
            self._ended.wait(max(EVERY_S, took, self._told.watching * READER_S))
            self._await_bell(time.monotonic() + UNRUNG_S)
        self.asked.clear()

    def _await_bell(self, until: float) -> None:
        try:
            if self._bell is None and (bell := self._at_end()) is not None:
                self._bell = bell
                return  # what was published before it was there
            while (left := until - time.monotonic()) > 0 and not self.asked.is_set():
                if self._bell is None:
                    self.asked.wait(left)
                elif self._bell.poll(_RECORDS, min(left, _ASK_S)):
                    return
        except InfrastructureError:
            self._leave()
            self.asked.wait(UNRUNG_S)

    def _at_end(self) -> Source | None:
        """Reads what is published from now on; None while there is no such topic."""
        topic = self._outside.settings.topic_alerts
        marks = self._outside.admin.watermarks(topic)
        if not marks:
            return None
        bell = connect.source(self._outside.settings, topic)
        bell.assign({partition: mark.high for partition, mark in marks.items()})
        return bell

    def _leave(self) -> None:
        if self._bell is not None:
            self._bell.close()
            self._bell = None
