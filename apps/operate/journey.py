"""One record's journey: from the log to what was said, decided and set aside of it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple, get_args, get_origin

from apps.data.in_words import in_words
from apps.data.moments import moment
from apps.data.printable import lines_shown, shown
from stormwatch.archive import Archive
from stormwatch.codec import Parsed
from stormwatch.dead_letters import redaction
from stormwatch.errors import SettingsError
from stormwatch.ledger.bitmap import offsets
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Source
from stormwatch.records import DecisionKey, LedgerRow, Record, Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Event

_FAR = 1 << 62


class Place(NamedTuple):
    """Where a record is in Kafka."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, name: str) -> "Place":
        """`topic/partition/offset`, or with an epoch before the offset. Raises SettingsError."""
        topic, *numbers = name.rsplit("/", 3) if name.count("/") == 3 else name.rsplit("/", 2)
        if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
            raise SettingsError(
                f"{name!r} is not a record. Write topic/partition/offset, as transactions/0/4711."
            )
        return cls(topic, int(numbers[0]), int(numbers[-1]))


def journey(
    settings: Settings, topology: Any, name: str, source: Source, archive: Archive, place: Place
) -> Iterator[str]:
    """Lines to read, in the order of what happens. `name` is the topology's.

    Raises InfrastructureError, and SettingsError where Kafka has no such record any more.
    """
    record = _read(source, place)
    masked = redaction.names(settings.mask_fields)
    value = shown(redaction.mask(record.value or b"", masked))
    yield f"record    {moment(record.timestamp)} key {record.key!r}: {value}"
    epochs = epochs_of(archive, place)
    for row, state in endings(archive, place, epochs):
        f, part = row.fragment, row.part.partition(":")[0]
        yield (
            f"ledger    {part}: {state} (batch {f.first}-{f.last}, generation "
            f"{f.generation}, try {f.attempt}, epoch {f.epoch}, {row.age:,} ms after its "
            "oldest record)"
        )
    for domain, events in judged(topology, name, record).items():
        keys = [
            DecisionKey(stripe_of(e.entity, settings.layout_stripes), e.entity, e.time, e.id)
            for e in events
        ]
        for decided in archive.find_decisions(domain, keys):
            sent = " (an alert)" if decided.alert else ""
            why = in_words(decided) or "no reasons"
            yield f"decision  {domain} {shown(decided.entity)}: {decided.outcome}{sent}; {why}"
        for epoch in epochs:
            for each in archive.find_asides(domain, *place[:2], epoch, place.offset):
                why = lines_shown(each.row.reason.strip())
                yield f"set aside {domain} by {each.row.component}: {each.row.code}; {why}"


def epochs_of(archive: Archive, place: Place) -> list[int]:
    """The epochs under which the record's partition was read."""
    return sorted({e for p, e, _ in archive.ledger_starts(place.topic) if p == place.partition})


def endings(
    archive: Archive, place: Place, epochs: Sequence[int]
) -> Iterator[tuple[LedgerRow, str]]:
    """The ledger rows that hold the record, each with the state that they say it ended in."""
    topic, partition, offset = place
    for epoch in epochs:
        for row in archive.ledger(topic, partition, epoch, offset, offset):
            for state, bits in row.bitmaps.items():
                if offset in offsets(bits, row.fragment.first):
                    yield row, state


def _read(source: Source, place: Place) -> Record:
    with closing(source):
        marks = source.watermarks(place.partition)
        found = source.peek({place.partition: place.offset})
        if found:
            return found[place.partition]
    raise SettingsError(
        f"Kafka has no record at offset {place.offset} of {place.topic}/{place.partition}: it "
        f"holds {marks.low} to {marks.high - 1}, less what was compacted."
    )


def judged(topology: Any, name: str, record: Record) -> dict[str, Sequence[Event]]:
    """Name under which decisions are stored -> the events judged there, made by the classes."""
    classes = [spec.component_cls for spec in topology.specs]
    found: dict[type, list[Event]] = {}
    for cls in classes:
        if hasattr(cls, "parse_one"):
            with suppress(Exception):  # where it raises, the record is set aside: shown below
                event = cls.parse_one(record.value or b"", _FAR, future_skew_ms=0)
                if not isinstance(event, Rejection):
                    found.setdefault(type(event), []).append(event)
    for cls in classes:
        if hasattr(cls, "split"):
            arrived = found.get(get_args(cls.payload)[0], [])
            with suppress(Exception):
                for one in [keyed for event in arrived for keyed in cls.split(event)]:
                    found.setdefault(type(one), []).append(one)
    judged: dict[str, Sequence[Event]] = {name: [e for events in found.values() for e in events]}
    for cls in classes:
        payload = getattr(cls, "payload", None)
        if get_origin(payload) is Parsed:
            judged.setdefault(getattr(cls, "domain", name), found.get(get_args(payload)[0], []))
    return judged
