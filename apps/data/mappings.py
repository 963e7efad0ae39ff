"""Mappings on the operator's side: which the settings name, and what one makes of a file."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from apps.data import event_files, mapped_rows
from apps.data.kinds import BY_TOPOLOGY
from apps.data.publish import Event
from stormwatch.domains.fraud.parse import TARGET as TRANSACTION
from stormwatch.domains.maintenance import equipment
from stormwatch.domains.maintenance.parse import TARGET as READING
from stormwatch.domains.maintenance.parse import Readings
from stormwatch.errors import SettingsError
from stormwatch.named_texts import is_text
from stormwatch.parsing.fields import from_ms
from stormwatch.parsing.mapping import Mapped, Target, chosen, made, marks, read, text_of
from stormwatch.records import IGNORED, Rejection
from stormwatch.settings import Settings, variable
from stormwatch.state.judge import Domain

TARGETS: dict[str, Target] = {TRANSACTION.event: TRANSACTION, READING.event: READING}
"""The kinds of events that mappings can make, with the equipment types that are shipped."""
SHOWN = 10


def of(settings: Settings, events: str, topic: str) -> Mapped | None:
    """The mapping that the settings name for a topic of these events. Raises MappingError."""
    return by_topic(settings, events).get(topic)


def by_topic(settings: Settings, events: str) -> dict[str, Mapped]:
    """Topic -> the mapping that the settings name for it. Raises SettingsError."""
    target = target_of(settings, events)
    return {} if target is None else chosen(settings, target)


def target_of(settings: Settings, events: str) -> Target | None:
    """What a mapping of these events has to find; None where none can make them.

    Raises SettingsError.
    """
    if events == READING.event:
        return Readings(equipment.chosen(settings)).target
    return TARGETS.get(events)


def expect_none(settings: Settings, events: str, topic: str) -> None:
    """Raises SettingsError where generated events would go to a topic that has a mapping: these are
    in our own format."""
    if topic in marks(settings):
        name = variable(f"mapping.{events}")
        raise SettingsError(
            f"The topic {topic} has a mapping (mapping.{events}), and generated events are in our "
            f"own format: each would be refused. Publish a FILE of yours, and decide it with "
            f"`sparse run`; or leave the mapping out this time: {name}= ./stormwatch …"
        )


def parser(settings: Settings, topic: str, domain: Domain[Any, Any]) -> Callable[..., Any]:
    """How the records of a topic become events: by its mapping, else as the domain's own format.

    Called as `parse_one` of `parsing.batch`. Raises MappingError.
    """
    kind = BY_TOPOLOGY.get(domain.name)
    if kind and (mapped := of(settings, kind.events, topic)):
        return mapped.parse
    return lambda value, timestamp, future_skew_ms: domain.parse(value, timestamp)


def events_of(
    settings: Settings, paths: Sequence[Path], events: str, run: str,
    stopped: Callable[[], bool] = lambda: False, topic: str = "",
) -> Iterator[Event]:  # fmt: skip
    """The events of files, in a format of ours or in that of the mapping which the settings name.

    `run` becomes part of the units of C-MAPSS files; `topic` is where they go, else that of the
    setting. Raises FileError, MappingError.
    """
    if mapped := of(settings, events, topic or getattr(settings, f"topic_{events}")):
        return mapped_rows.read(paths, mapped, stopped)
    return event_files.read(paths, events, run, stopped)


class Outcome(NamedTuple):
    """What a mapping made of a sample."""

    rows: int
    events: list[Any]  # the first SHOWN
    refused: dict[str, int]  # code -> rows
    examples: dict[str, Rejection]  # code -> its first one
    ignored: int = 0


def ready(mapping: str) -> tuple[Mapped, str]:
    """A mapping by its file, preset or text, made ready, and the events it makes. Raises
    MappingError."""
    event = read(text_of(mapping), "the mapping" if is_text(mapping) else mapping).event
    return made(mapping, TARGETS[event]), event


def applied(mapped: Mapped, values: Iterable[bytes]) -> Outcome:
    """Apply a mapping to records.

    None is held against a time of Kafka: that a time lies in the future is not seen here.
    """
    rows, ignored, found = 0, 0, list[Any]()
    refused, examples = Counter[str](), dict[str, Rejection]()
    for value in values:
        rows += 1
        got = mapped.parse(value, -1, future_skew_ms=0)
        if got is IGNORED:
            ignored += 1
        elif isinstance(got, Rejection):
            refused[got.code] += 1
            examples.setdefault(got.code, got)
        elif len(found) < SHOWN:
            found.append(got)
    return Outcome(rows, found, dict(refused.most_common()), examples, ignored)


def in_a_line(event: Any) -> str:
    """An event's fields that say something, its time readable."""
    defaults = {one.name: one.default for one in msgspec.structs.fields(event)}
    parts = []
    for name, value in msgspec.structs.asdict(event).items():
        if name == "time":
            parts.append(f"time={from_ms(value).isoformat(timespec='milliseconds')}")
        elif value != defaults[name] and value not in ("", (), 0, None):
            parts.append(f"{name}={value}")
    return " ".join(parts)
