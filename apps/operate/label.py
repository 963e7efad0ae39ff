"""The label of a payment that was decided, for the topic of labels: `./stormwatch label`."""

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from typing import Any

import msgspec

from apps.data.mappings import parser
from apps.data.publish import Event
from apps.operate.journey import Place
from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.domains.fraud import Fraud, labels
from stormwatch.domains.fraud.event import LABELS, Label, Transaction
from stormwatch.domains.fraud.parse import parse, to_wire
from stormwatch.errors import SettingsError
from stormwatch.parsing.fields import to_ms
from stormwatch.records import Decision, Record, Rejection
from stormwatch.settings import Settings

_decode = msgspec.json.Decoder(Decision).decode


def payment(settings: Settings, archive: Archive, name: str) -> Transaction:
    """The payment of that id, or at that place (topic/partition/offset).

    By its id it is looked for among all stored decisions, which takes a while where there are many.
    Raises SettingsError where there is none, or several customers have one.
    """
    if name.count("/") >= 2:
        return _read(settings, Place.of(name))
    found = {(one.topic, one.partition, one.offset): one for one in _decided(archive, name)}
    customers = {one.entity for one in found.values()}
    if len(customers) > 1:
        places = ", ".join(f"{topic}/{part}/{offset}" for topic, part, offset in found)
        raise SettingsError(
            f"{len(customers)} customers have a payment {name!r}. Name one by its place: {places}."
        )
    if not found:
        raise SettingsError(
            f"No decision is stored of a payment {name!r}. Is it decided already, and its id right?"
            " `./stormwatch alerts fraud` shows ids and places."
        )
    return _read(settings, Place(*next(iter(found))))


def _decided(archive: Archive, name: str) -> Iterator[Decision]:
    for stored in archive.all_decisions(Fraud.name):
        if stored.row.id == name and stored.row.outcome != labels.OUTCOME:
            with suppress(msgspec.MsgspecError):  # what cannot be read names no record
                yield _decode(bytes(stored.row.body))


def _read(settings: Settings, place: Place) -> Transaction:
    topic, partition, offset = place
    with closing(connect.source(settings, topic)) as source:
        record: Record | None = source.peek({partition: offset}).get(partition)
    if record is None or record.value is None:
        raise SettingsError(
            f"Kafka has no record {topic}/{partition}/{offset} any more, which says what the "
            "payment was. Write the label yourself (schema/labels.md) to the topic "
            f"{settings.topic_labels}: ./stormwatch publish transactions FILE --topic "
            f"{settings.topic_labels}."
        )
    skew_ms = settings.future_skew_s * 1000
    parse_one = parser(settings, topic, Fraud(future_skew_ms=skew_ms))
    event: Any = parse_one(record.value, record.dated, future_skew_ms=skew_ms)
    if not isinstance(event, Transaction) or event.label is not None:
        raise SettingsError(f"{topic}/{partition}/{offset} is no payment.")
    return event


def record(
    settings: Settings, now: datetime, event: Transaction, kind: str, given: str = ""
) -> Event:
    """The label's record, keyed by the customer; its id is `given`, or of payment, kind and time.

    Raises SettingsError, with the sentence of the parse bolt, for what this would refuse.
    """
    if not settings.topic_labels:
        raise SettingsError("No labels are read: topic.labels is empty. Give that topic a name.")
    if kind not in LABELS:
        raise SettingsError(f"{kind!r} is no label. Choose one of: {', '.join(LABELS)}.")
    time = to_ms(now)
    label = Transaction(
        given or f"{kind}-{time}-{event.id}"[:64], event.customer, event.terminal, time,
        event.amount, event.currency, label=Label(event.id, event.time, kind),
    )  # fmt: skip
    value = to_wire(label)
    found = parse(value, time, future_skew_ms=settings.future_skew_s * 1000)
    if isinstance(found, Rejection):
        raise SettingsError(f"That is no label ({found.code}): {found.reason}.")
    return Event(event.customer.encode(), value)
