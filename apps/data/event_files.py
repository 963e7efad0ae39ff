"""Reads events from files, for `./stormwatch publish`.

Four formats, told apart by content, each also gzipped:

- JSON lines in the wire format (schema/), sent as they are;
- CSV with a header of wire fields; a reading's sensors have columns of their names, its operating
  settings `setting1`, `setting2`, …; an empty cell is an absent field;
- the Fraud Detection Handbook's transactions, `tx_id,t,customer,terminal,amount,…`;
- NASA's C-MAPSS text: 26 numbers a line.

A line that cannot be understood is sent raw and without a key: the pipeline then rejects it where
all can see it. Blank lines are passed over.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from apps.data import event_formats as formats
from apps.data.publish import Event
from stormwatch.errors import StormwatchError

_LOOK = 100  # lines looked at to tell the format


class FileError(StormwatchError):
    """A file cannot be published. Says why and what would do."""


class EventFile(NamedTuple):
    """A file whose format is known."""

    path: Path
    header: int  # lines before the first event
    reader: formats.Reader

    def events(self) -> Iterator[Event]:
        """Its events in order. Raises FileError where the file breaks off."""
        for line in islice(_lines(self.path), self.header, None):
            yield self.reader(line)


def read(paths: Iterable[Path], events: str, run: str) -> Iterator[Event]:
    """The `transactions` or `readings` of all files, one after the other.

    `run` becomes part of the units of C-MAPSS files (schema/readings.md). Every file's format is
    told before the first event is given: raises FileError here and not half-way.
    """
    files = [recognise(path, events, run) for path in paths]
    return chain.from_iterable(file.events() for file in files)


def recognise(path: Path, events: str, run: str) -> EventFile:
    """Tell the format by the first lines. Raises FileError."""
    lines = list(islice(_lines(path), _LOOK))
    if not lines:
        raise FileError(f"{path} is empty; give a file with one event a line.")
    first = lines[0]
    if first == formats.HANDBOOK:
        _expect(path, "card transactions", "transactions", events)
        return EventFile(path, 1, formats.handbook)
    if _numbers(first) == formats.CMAPSS_COLUMNS:
        _expect(path, "C-MAPSS readings", "readings", events)
        fleet = re.search(r"FD\d+", path.name)
        return EventFile(path, 0, formats.Cmapss(fleet[0] if fleet else "cmapss", run))
    if any(line.startswith(b"{") for line in lines):
        return EventFile(path, 0, formats.JsonLines(events))
    if b"," in first and not first.startswith(b"["):
        return EventFile(path, 1, formats.Csv(_header(path, first, events), events))
    raise FileError(
        f"{path} is in no known format: its first line is {first[:60]!r}. Give JSON lines (one "
        "object a line, see schema/), CSV with a header, the handbook's CSV or C-MAPSS text."
    )


def _header(path: Path, line: bytes, events: str) -> list[str]:
    names = [name.strip() for name in formats.split_csv(line) or []]
    if missing := [name for name in formats.REQUIRED[events] if name not in names]:
        raise FileError(
            f"{path} has no column {', '.join(missing)} in its header: name the columns as the "
            f"fields in schema/{events}.md."
        )
    return names


def _expect(path: Path, what: str, kind: str, events: str) -> None:
    if kind != events:
        raise FileError(f"{path} holds {what}: run `./stormwatch publish {kind} {path}`.")


def _lines(path: Path) -> Iterator[bytes]:
    """Lines that are not blank, without their ends."""
    try:
        with path.open("rb") as plain:
            head = plain.read(65_536)
            plain.seek(0)
            zipped = head.startswith(b"\x1f\x8b")
            if b"\0" in head and not zipped:
                raise FileError(f"{path} is no text: it holds zero bytes. Give text or its .gz.")
            unzipped = gzip.GzipFile(fileobj=plain) if zipped else plain
            for number, line in enumerate(unzipped):
                text = line.strip()
                if number == 0:
                    text = text.removeprefix(b"\xef\xbb\xbf")
                if text:
                    yield text
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{path} cannot be read: {reason}. Name a whole, readable file.") from error


def _numbers(line: bytes) -> int:
    """How many numbers a line holds; 0 if anything else is in it."""
    try:
        return len([float(cell) for cell in line.split()])
    except ValueError:
        return 0
