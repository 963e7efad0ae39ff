"""The log as it was judged: where Kafka's time of a record was not believed, by what is stored."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from apps.prove.verdict.tables import Tables
from stormwatch.archive import Archive
from stormwatch.ingest.dating import judged_by
from stormwatch.records import Record
from stormwatch.settings import Settings

Kept = Mapping[tuple[int, int], int]
"""(partition, offset) -> the `timestamp` of its decision, or of its row in `dead_letters`."""


class _Place(msgspec.Struct):
    topic: str
    partition: int
    offset: int


_decode = msgspec.json.Decoder(_Place).decode


class AsJudged:
    """`read` is called where a record is met whose time may not have been believed."""

    def __init__(self, settings: Settings, read: Callable[[], Kept]) -> None:
        self._ahead_ms = settings.lateness_s * 1000
        self._read = read
        self._now = time.time_ns() // 1_000_000

    @cached_property
    def _kept(self) -> Kept:
        return self._read()

    def __call__(self, partition: int, runs: Iterable[list[Record]]) -> Iterator[list[Record]]:
        """The same records, each with the time that it was judged by."""
        latest = self._now + self._ahead_ms
        for run in runs:
            if all(0 <= record.timestamp <= latest for record in run):
                yield run
                continue
            yield [
                judged_by(record, self._kept.get((partition, record.offset)), self._ahead_ms)
                for record in run
            ]


def of_tables(tables: Tables, topic: str) -> Kept:
    """What these tables have."""
    kept = {(key[2], key[5]): cells[0] for key, cells in tables.dead_letters.items()}
    for cells in tables.decisions.values():
        place = _place(bytes(cells[2]))
        if place and place.topic == topic:
            kept[place.partition, place.offset] = cells[3]
    return kept


def of_archive(archive: Archive, domain: str, topic: str) -> Kept:
    """What is stored, read whole."""
    kept = {
        (letter.partition, letter.row.offset): letter.row.timestamp
        for letter in archive.asides(domain)
        if letter.topic == topic
    }
    for _, row in archive.all_decisions(domain):
        place = _place(bytes(row.body))
        if place and place.topic == topic:
            kept[place.partition, place.offset] = row.timestamp
    return kept


def _place(body: bytes) -> _Place | None:
    """None of what cannot be read: it is no decision, and told elsewhere."""
    try:
        return _decode(body)
    except msgspec.MsgspecError:
        return None
