"""One look at a running topology: what Kafka and the store say of it now."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec

from apps.data.in_words import record_in_words
from apps.data.streams import Stream
from apps.operate.figures import Look, look
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.ports import Admin, Source, Store
from stormwatch.records import DecisionRow
from stormwatch.settings import Settings

RECORDS, RECORDS_AT_ONCE, RECORD_TRIES = 500, 5, 3
"""Records of alerts that are remembered, read in one look, and asked for again."""
ALERTS = 40
"""Newest alerts asked for: enough to show several entities."""


class _Place(msgspec.Struct):
    topic: str
    partition: int
    offset: int


_place = msgspec.json.Decoder(_Place).decode


class Connected(Protocol):
    """The services as the watcher needs them."""

    @property
    def settings(self) -> Settings: ...
    @property
    def admin(self) -> Admin: ...
    @property
    def store(self) -> Store: ...


def take(stream: Stream, outside: Connected, began: int) -> Look:
    """One look: figures of processes that wrote theirs since `began` (ms), and the newest alerts
    since then. Raises InfrastructureError."""
    return figures(stream, outside, began)._replace(
        newest=tuple(newest_alerts(stream, outside.store, began))  # not those of the run before
    )


def newest_alerts(stream: Stream, store: Store, since: int = 0) -> list[DecisionRow]:
    """The newest since then (ms), newest first. Raises StoreUnavailable."""
    return [row for row in store.alerts(stream.topology, ALERTS) if row.timestamp >= since]


def figures(stream: Stream, outside: Connected, began: int) -> Look:
    """One look without alerts. Raises InfrastructureError."""
    taken = now_ms()
    high = lag = 0
    for topic in stream.topics:
        marks = outside.admin.watermarks(topic)
        committed = outside.admin.committed(outside.settings.kafka_group, topic)
        high += sum(mark.high for mark in marks.values())
        lag += sum(
            mark.high - max(mark.low, committed[partition].offset if partition in committed else 0)
            for partition, mark in marks.items()
        )
    return look(outside.store.meters(stream.topology), began, taken, high, max(lag, 0))


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
            value = self._read(row)
            if value is None and self._missed[row.entity, row.id] < RECORD_TRIES:
                self._missed[row.entity, row.id] += 1
                return  # Kafka was slow; another look
            known[row.entity, row.id] = record_in_words(stream.events, value or b"")
        while len(known) > RECORDS:
            known.pop(next(iter(known)))

    def _read(self, row: DecisionRow) -> bytes | None:
        """Its value; None where Kafka gave none in time."""
        from stormwatch.adapters import connect

        try:
            place = _place(row.body)
        except msgspec.MsgspecError:
            return b""  # written by another version
        source = self._sources.get(place.topic)
        if source is None:
            source = self._sources[place.topic] = connect.source(self._settings, place.topic)
        found = source.peek({place.partition: place.offset})
        return found[place.partition].value or b"" if found else None

    def close(self) -> None:
        """Leave Kafka."""
        for source in self._sources.values():
            source.close()
