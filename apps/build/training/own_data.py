"""A person's own payments with labels, as `payments.Labelled`: read by the mapping of the stream.

Labels are a column of the data, or a CSV file with the columns `payment` (its id) and `label`; what
it does not list is genuine. Said as 1, true, yes, fraud or chargeback, and 0, false, no, genuine or
cleared.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from apps.build.training.payments import Labelled
from apps.data import mapped_rows, mappings
from stormwatch.domains.fraud.event import Transaction
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import Mapped
from stormwatch.records import IGNORED, Rejection

T = TypeVar("T")

_FRAUD = frozenset({"1", "1.0", "true", "t", "yes", "y", "fraud", "chargeback"})
_GENUINE = frozenset({"", "0", "0.0", "false", "f", "no", "n", "genuine", "cleared", "legit"})
_REFUSED_SHARE = 0.1
"""Of the records: with more that the mapping refuses, it is of other data."""


def payments(data: Path, mapping: str, labels: str) -> Iterator[Labelled]:
    """In order of time. All of them are held in memory while they are sorted.

    Raises SettingsError, MappingError and FileError: where a label says something else, a column is
    not there, there is no fraud, or the mapping refuses more than a tenth.
    """
    mapped, events = mappings.ready(mapping)
    if events != "transactions":
        raise SettingsError(f"{mapping} makes {events}; payments are to be trained on.")
    told = _file(Path(labels)) if Path(labels).is_file() else None

    def row(record: int, value: bytes, event: Any) -> Labelled | None:
        assert isinstance(event, Transaction)
        if event.label is not None:
            return None
        return event, told.get(event.id, 0) if told is not None else cell(value, labels, record)

    found = read(data, mapping, mapped, row)
    if not any(label for _, label in found):
        raise SettingsError(f"None of {len(found):,} payments of {data} is a fraud by {labels}.")
    found.sort(key=lambda one: (one[0].time, one[0].id))
    yield from found


def read(
    data: Path, mapping: str, mapped: Mapped, row: Callable[[int, bytes, Any], T | None]
) -> list[T]:
    """What `row` makes of each event: given the number of its record, from 1 on, and its value.

    Raises SettingsError where the mapping refuses more than a tenth, or nothing is left.
    """
    found, refused, first, records = list[T](), 0, "", 0
    for records, one in enumerate(mapped_rows.read([data], mapped), 1):
        event = mapped.parse(one.value, -1, future_skew_ms=0)
        if event is IGNORED:
            continue
        if isinstance(event, Rejection):
            refused += 1
            first = first or f"record {records}: {event.reason}"
        elif (made := row(records, one.value, event)) is not None:
            found.append(made)
    if refused > _REFUSED_SHARE * records or not found:
        raise SettingsError(
            f"The mapping {mapping} refuses {refused:,} of {records:,} records of {data}, the "
            f"first: {first}. Try it: ./stormwatch map {data} --check {mapping}"
        )
    return found


def cell(value: bytes, column: str, record: int) -> int:
    """The label in a column of a record, the first of which is 1. Raises SettingsError."""
    row = json.loads(value)
    if not isinstance(row, dict) or column not in row:
        names = ", ".join(row) if isinstance(row, dict) else "none"
        raise SettingsError(
            f"--labels {column} is no file, and record {record} has no such column; there are: "
            f"{names}."
        )
    return _label(row[column], f"record {record}, {column}")


def _file(path: Path) -> dict[str, int]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            if not {"payment", "label"} <= set(rows.fieldnames or ()):
                raise SettingsError(f"{path} needs the columns payment and label in its header.")
            return {
                row["payment"]: _label(row["label"], f"{path}, line {at}")
                for at, row in enumerate(rows, 2)
            }
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as CSV: {error}.") from error


def _label(told: object, where: str) -> int:
    text = str(told if told is not None else "").strip().lower()
    if text in _FRAUD:
        return 1
    if text in _GENUINE:
        return 0
    raise SettingsError(f"{where} says {told!r}; a label is one of 1, 0, fraud, cleared, true, …")
