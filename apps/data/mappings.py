"""Mappings on the operator's side: which the settings name, and what one makes of a file."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from apps.data import event_files, mapped_rows
from apps.data.publish import Event
from stormwatch.domains.fraud.parse import TARGET as TRANSACTION
from stormwatch.domains.maintenance.parse import TARGET as READING
from stormwatch.parsing.mapping import Mapped, MappingError, Target, chosen, made
from stormwatch.records import Rejection
from stormwatch.settings import Settings

TARGETS: dict[str, Target] = {TRANSACTION.event: TRANSACTION, READING.event: READING}
"""The kinds of events that mappings can make."""
SAMPLE = 10_000
SHOWN = 10


def of(settings: Settings, events: str) -> Mapped | None:
    """The mapping that the settings name for these events. Raises MappingError."""
    target = TARGETS.get(events)
    return None if target is None else chosen(settings, target)


def events_of(
    settings: Settings, paths: Sequence[Path], events: str, run: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:  # fmt: skip
    """The events of files, in a format of ours or in that of the mapping which the settings name.

    `run` becomes part of the units of C-MAPSS files. Raises FileError, MappingError.
    """
    if mapped := of(settings, events):
        return mapped_rows.read(paths, events, mapped, stopped)
    return event_files.read(paths, events, run, stopped)


class Sample(NamedTuple):
    """What a mapping made of the first rows of a file."""

    rows: int
    events: list[Any]  # the first SHOWN
    refused: dict[str, int]  # code -> rows
    examples: dict[str, Rejection]  # code -> its first one


def look(mapping: str, file: Path, events: str) -> Sample:
    """Apply a mapping (a file or preset) to the first SAMPLE rows. Raises MappingError, FileError.

    No row is held against a time of Kafka: that it lies in the future is not seen here.
    """
    if events not in TARGETS:
        raise MappingError(f"{events} cannot be mapped yet; {', '.join(TARGETS)} can.")
    mapped = made(mapping, TARGETS[events])
    rows, found = 0, list[Any]()
    refused, examples = Counter[str](), dict[str, Rejection]()
    for event in islice(mapped_rows.read([file], events, mapped), SAMPLE):
        rows += 1
        got = mapped.parse(event.value, -1, future_skew_ms=0)
        if isinstance(got, Rejection):
            refused[got.code] += 1
            examples.setdefault(got.code, got)
        elif len(found) < SHOWN:
            found.append(got)
    return Sample(rows, found, dict(refused.most_common()), examples)
