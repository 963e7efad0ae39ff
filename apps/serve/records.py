"""A record of one's own sent by the API, and what became of any record."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.build.topology_file import topology_class
from apps.operate.casework import audited
from apps.operate.domains import of_topic
from apps.operate.journey import Place, epochs_of, judged
from apps.operate.missing import NotFound
from apps.operate.send import send
from apps.serve import answers
from apps.serve.reader import Reader, aside, summary
from apps.serve.route import Asker, Nothing, Raw, Route
from stormwatch.dead_letters import redaction
from stormwatch.errors import SettingsError
from stormwatch.partitioner import stripe_of
from stormwatch.people import ANALYST
from stormwatch.records import DecisionKey, Record


class OneRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what became of a record."""

    at: Annotated[str, Meta(max_length=300, description="topic/partition/offset")]


def records(reader: Reader, root: Path, clock: Callable[[], int]) -> list[Route]:
    """The routes."""
    settings = reader.settings

    def sending(topic: str) -> Callable[[Nothing, bytes, Asker], answers.Sent]:
        def of(_: Nothing, value: bytes, by: Asker) -> answers.Sent:
            with audited(
                reader.archive, by.who, "record.send", topic, f"{len(value)} bytes", clock()
            ):
                place = send(settings, topic, value)
            return answers.Sent(f"{place.topic}/{place.partition}/{place.offset}")

        return of

    says = "as any producer would; what it is is told by /v1/record."
    return [
        Route("/v1/payments", Nothing, answers.Sent, f"Write a payment to its topic, {says}",
              sending(settings.topic_transactions), method="POST", body=Raw, role=ANALYST),
        Route("/v1/readings", Nothing, answers.Sent, f"Write a reading to its topic, {says}",
              sending(settings.topic_readings), method="POST", body=Raw, role=ANALYST),
        Route("/v1/record", OneRecord, answers.Became, "What became of one record.",
              lambda asked: became(reader, root, asked.at)),
    ]  # fmt: skip


def became(reader: Reader, root: Path, at: str) -> answers.Became:
    """The record's end states, decisions and dead letters. Raises NotFound, InfrastructureError."""
    settings, archive = reader.settings, reader.archive
    try:
        place = Place.of(at)
        name = of_topic(settings, place.topic).topology
    except SettingsError as error:
        raise NotFound(str(error)) from error
    record = reader.record(place)
    if record is None:
        raise NotFound(f"Kafka has no record {at} (any more).")
    decided, set_aside = _said(reader, root, name, place, record)
    masked = redaction.names(settings.mask_fields)
    return answers.Became(
        at, record.timestamp,
        redaction.mask(record.value or b"", masked).decode(errors="backslashreplace"),
        reader.written(archive, place), decided, set_aside,
    )  # fmt: skip


def _said(
    reader: Reader, root: Path, name: str, place: Place, record: Record
) -> tuple[list[answers.Summary], list[answers.Aside]]:
    settings, archive = reader.settings, reader.archive
    topology: Any = topology_class(root / "topologies" / f"{name}.py")
    decided, set_aside = [], []
    epochs = epochs_of(archive, place)
    for domain, events in judged(topology, name, record).items():
        keys = [
            DecisionKey(stripe_of(e.entity, settings.layout_stripes), e.entity, e.time, e.id)
            for e in events
        ]
        decided += [summary(domain, row) for row in archive.find_decisions(domain, keys)]
        for epoch in epochs:
            set_aside += [
                aside(domain, each, settings)
                for each in archive.find_asides(domain, *place[:2], epoch, place.offset)
            ]
    return decided, set_aside
