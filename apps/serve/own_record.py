"""One's own record into the stream, as any producer would send it, and what became of it."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from apps.data.streams import Stream
from apps.operate.casework import audited
from apps.operate.journey import Place, endings, epochs_of
from apps.operate.missing import NotFound
from apps.serve import answers
from apps.serve.reader import Domain
from apps.serve.route import Asker, Nothing, Route
from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.errors import BrokerUnavailable
from stormwatch.people import ANALYST
from stormwatch.ports import Admin
from stormwatch.records import Record
from stormwatch.settings import Settings

TEXT = 65_536
"""Characters of a record at most."""
CONFIRM_S, FIND_S = 10.0, 5.0
"""Kafka confirms, and the record is found again, within."""
_KEYED_BY = ("customer", "unit", "author", "user")


class OwnRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A record of one's own."""

    domain: Domain
    text: Annotated[str, Meta(min_length=1, max_length=TEXT, description="The record, as it is.")]


class OneRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what became of a record."""

    at: Annotated[str, Meta(max_length=300, description="topic/partition/offset")]


class Sender(NamedTuple):
    """Sends records, and follows them."""

    admin: Admin
    archive: Archive
    settings: Settings
    streams: list[Stream]
    clock: Callable[[], int]

    def send(self, _: Nothing, own: OwnRecord, by: Asker) -> answers.Sent:
        """Into the domain's topic, keyed by its customer or machine where it names one. Raises
        InfrastructureError, NotFound."""
        stream = next((s for s in self.streams if s.topology == own.domain), None)
        if stream is None:
            known = ", ".join(s.topology for s in self.streams)
            raise NotFound(f"There is no domain {own.domain!r}. There are: {known}.")
        value = own.text.encode(errors="surrogatepass")
        with audited(
            self.archive, by.who, "record.send", stream.topic, f"{len(value)} bytes", self.clock()
        ):
            if self.admin.describe(stream.topic) is None:
                raise NotFound(
                    f"The topic {stream.topic!r} does not exist yet. Start the topology: "
                    f"./stormwatch run {own.domain}"
                )
            before = {p: mark.high for p, mark in self.admin.watermarks(stream.topic).items()}
            with closing(connect.sink(self.settings)) as sink:
                sink.send(stream.topic, _key(value), value)
                sink.flush(CONFIRM_S)
            return answers.Sent(self._found(stream.topic, before, value))

    def became(self, asked: OneRecord) -> answers.Became:
        """The end states that the ledger has of it; none while it is in flight."""
        place = Place.of(asked.at)
        found = list(endings(self.archive, place, epochs_of(self.archive, place)))
        states = list(dict.fromkeys(state for _, state in found))
        ages = [row.age for row, _ in found]
        domain = next((s.topology for s in self.streams if place.topic in s.topics), "")
        asides = [
            each for epoch in epochs_of(self.archive, place) if domain
            for each in self.archive.find_asides(domain, *place[:2], epoch, place.offset)
        ]  # fmt: skip
        code, reason = (asides[0].row.code, asides[0].row.reason.strip()) if asides else ("", "")
        return answers.Became(states, code, reason, max(ages, default=0))

    def _found(self, topic: str, before: dict[int, int], value: bytes) -> str:
        """Where the record is: the first of its bytes after what was there before."""
        with closing(connect.source(self.settings, topic)) as source:
            source.assign(before)
            until = time.monotonic() + FIND_S
            while time.monotonic() < until:
                for partition, records in source.poll(500, 0.2).items():
                    for record in records:
                        if _is(record, value):
                            return f"{topic}/{partition}/{record.offset}"
        raise BrokerUnavailable(
            "Kafka has confirmed the record, but did not show it again in time. It is in the topic."
        )


def sending(sender: Sender) -> list[Route]:
    """The two questions."""
    return [
        Route("/v1/records", Nothing, answers.Sent, "Send a record of one's own.", sender.send,
              method="POST", body=OwnRecord, role=ANALYST),
        Route("/v1/record", OneRecord, answers.Became, "What became of a record.", sender.became),
    ]  # fmt: skip


def _is(record: Record, value: bytes) -> bool:
    return record.value == value


def _key(value: bytes) -> bytes | None:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        said = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        for name in _KEYED_BY:
            if name in said:
                return msgspec.json.decode(said[name], type=str).encode()
    return None
