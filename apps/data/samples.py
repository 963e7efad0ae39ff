"""A sample of somebody's records, of a file or a topic: bounded in number, bytes and time."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from apps.data import mapped_rows
from apps.data.columns import NUMBER, flat
from apps.data.text_files import FileError, Text
from stormwatch.errors import TopicError
from stormwatch.parsing.mapping import FAULT, SPACE, Csv, Mapped
from stormwatch.parsing.rejections import UNPARSABLE
from stormwatch.ports import Source
from stormwatch.records import Record

MOST, WITHIN_S, MOST_BYTES = 10_000, 5.0, 64 << 20
Clock = Callable[[], float]


class Sampled(NamedTuple):
    """One record, and where it was."""

    value: bytes
    key: bytes | None = None
    partition: int = -1  # of a file: none


class Sample(NamedTuple):
    """What records hold, and what carries them."""

    records: list[Sampled]
    flat: list[dict[str, Any]]  # those that are JSON objects, without the envelope, by dotted path
    envelope: str


def told_csv(path: Path) -> Csv:
    """How to read a file that nothing is said of: by its first line, which may be no header.
    Raises FileError."""
    first = mapped_rows.first_line(Text(path)).decode(errors="replace")
    for delimiter in (SPACE, ",", ";", "\t", "|"):
        cells = first.split() if delimiter == SPACE else first.split(delimiter)
        if len(cells) > 1 and all(NUMBER.fullmatch(cell.strip()) for cell in cells):
            return Csv(delimiter=delimiter, names=[f"c{n}" for n in range(1, len(cells) + 1)])
    return Csv()


def of_file(path: Path, csv: Csv, clock: Clock = time.monotonic) -> Sample:
    """The first records of a file. Raises FileError."""
    rows = mapped_rows.values(path, csv)
    found = _bounded((Sampled(value) for value in rows), clock)
    if not found:
        raise FileError(f"{path} has no record below its header.")
    return _looked_at(found)


def of_topic(source: Source, topic: str, clock: Clock = time.monotonic) -> Sample:
    """The newest records of a topic, as many of each partition. Raises TopicError,
    BrokerUnavailable."""
    sampled = (
        Sampled(record.value, record.key, partition)
        for partition, record in newest(source, topic, MOST, clock)
        if record.value is not None
    )
    found = _bounded(sampled, clock)
    if not found:
        raise TopicError(f"The topic {topic} holds no record to look at yet: publish some first.")
    return _looked_at(found)


def newest(
    source: Source, topic: str, most: int, clock: Clock = time.monotonic
) -> Iterator[tuple[int, Record]]:
    """(partition, record) of about the `most` newest records, as many of each partition, for
    WITHIN_S at most. Commits nothing. Raises TopicError, BrokerUnavailable."""
    info = source.describe()
    if info is None:
        raise TopicError(f"There is no topic {topic!r}: name one that Kafka has.")
    marks = {partition: source.watermarks(partition) for partition in range(info.partitions)}
    each = max(1, most // info.partitions)
    source.assign({p: max(mark.low, mark.high - each) for p, mark in marks.items()})
    left = {p for p, mark in marks.items() if mark.high > mark.low}
    until = clock() + WITHIN_S
    while left and clock() < until:
        for partition, records in source.poll(1_000, 0.2).items():
            yield from ((partition, record) for record in records)
            if records and records[-1].offset >= marks[partition].high - 1:
                left.discard(partition)


def _bounded(records: Iterable[Sampled], clock: Clock) -> list[Sampled]:
    until, size, found = clock() + WITHIN_S, 0, list[Sampled]()
    for record in records:
        found.append(record)
        size += len(record.value)
        if len(found) >= MOST or size >= MOST_BYTES or clock() > until:
            break
    return found


def _looked_at(records: list[Sampled]) -> Sample:
    objects = [found for record in records if (found := _object(record.value)) is not None]
    envelope = _envelope(objects)
    return Sample(records, [flat(_within(one, envelope)) for one in objects], envelope)


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(value)
    except UNPARSABLE:
        return None
    return found if isinstance(found, dict) and FAULT not in found else None


def _envelope(objects: list[dict[str, Any]]) -> str:
    if objects and all("specversion" in one and isinstance(one.get("data"), dict)
                       for one in objects):  # fmt: skip
        return "cloudevents"
    changes = [one["payload"] if isinstance(one.get("payload"), dict) else one for one in objects]
    if changes and all("op" in one and "after" in one for one in changes):
        return "debezium"
    return "none"


def _within(record: dict[str, Any], envelope: str) -> dict[str, Any]:
    if envelope == "cloudevents":
        record = record["data"]
    elif envelope == "debezium":
        change = record["payload"] if isinstance(record.get("payload"), dict) else record
        record = change["after"] if isinstance(change["after"], dict) else {}
    return record


def why_not_keyed(records: Iterable[Sampled], mapped: Mapped) -> str:
    """Why a topic's partitions do not each hold all records of their entities; "" if they may."""
    keys, partitions = defaultdict[str, set[bytes | None]](set), defaultdict[str, set[int]](set)
    for record in records:
        try:
            entity = mapped.entity(record.value)
        except UNPARSABLE:
            continue
        keys[entity].add(record.key)
        partitions[entity].add(record.partition)
    if spread := [entity for entity, some in partitions.items() if len(some) > 1]:
        return f"{len(spread):,} of {len(keys):,} entities have records in several partitions"
    if without := sum(None in some for some in keys.values()):
        return f"records of {without:,} of {len(keys):,} entities have no key"
    if mixed := sum(len(some) > 1 for some in keys.values()):
        return f"records of {mixed:,} of {len(keys):,} entities have several keys"
    return ""
