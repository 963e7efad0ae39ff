"""Reads events from files, for `./stormwatch publish`.

Five formats, told apart by content, each also gzipped and through a pipe:

- JSON lines in the wire format (schema/), sent as they are;
- JSON arrays of such objects, and objects over several lines, sent as they are;
- CSV with a header of wire fields (`apps.data.event_csv`);
- the Fraud Detection Handbook's transactions, `tx_id,t,customer,terminal,amount,…`;
- NASA's C-MAPSS text: 26 numbers a line.

What cannot be understood is sent without a key: the pipeline then rejects it where all can see it.
Blank lines are passed over.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from apps.data import event_csv
from apps.data import event_formats as formats
from apps.data.event_json import JsonValues
from apps.data.publish import Event
from apps.data.text_files import FileError, Text


class EventFile(NamedTuple):
    """A file whose format is known."""

    text: Text
    format: formats.Format

    def events(self) -> Iterator[Event]:
        """Its events in order, once. Raises FileError where the file breaks off."""
        return self.format(self.text)


def read(
    paths: Iterable[Path], events: str, run: str, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """The `transactions`, `readings`, … of all files, one after the other.

    `run` becomes part of the units of C-MAPSS files (schema/readings.md). Every file's format is
    told before the first event is given: raises FileError here and not half-way. A pipe that
    nobody writes to is read until `stopped`.
    """
    files = [recognise(Text(path, stopped), events, run) for path in paths]
    return chain.from_iterable(file.events() for file in files)


def recognise(text: Text, events: str, run: str) -> EventFile:
    """Tell the format by the first lines. Raises FileError."""
    told = _format(text, events, run)
    text.rewind()
    return EventFile(text, told)


def _format(text: Text, events: str, run: str) -> formats.Format:
    path, looked = text.path, text.look()
    first = next(looked, b"")
    if not first:
        raise FileError(f"{path} is empty; give a file with one event a line.")
    if b"\0" in first:
        raise FileError(
            f"{path} is not a text file: it contains NUL bytes. Give text in UTF-8, or its .gz (a "
            "spreadsheet: save it as CSV in UTF-8)."
        )
    if first == formats.HANDBOOK:
        _expect(path, "card transactions", "transactions", events)
        return formats.handbook
    if _numbers(first) == formats.CMAPSS_COLUMNS:
        _expect(path, "C-MAPSS readings", "readings", events)
        fleet = re.search(r"FD\d+", path.name)
        return formats.Cmapss(fleet[0] if fleet else "cmapss", run)
    if first == b"{" or first.startswith(b"["):
        return JsonValues(events)
    header = event_csv.header(first, events)
    if not (header and header.fields_of(events)):
        if any(_is_object(line) for line in chain([first], looked)):
            return formats.JsonLines(events)
        if first.startswith(b"{"):
            return JsonValues(events)
    if header:
        header.check(path, events)
        return event_csv.Csv(header, events)
    try:
        first.decode()
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path} is not UTF-8: its first line has {first[error.start : error.start + 1]!r}. "
            "Convert it (`iconv -f latin1 -t utf-8`), or save it as CSV in UTF-8."
        ) from error
    raise FileError(
        f"{path} is in no known format: its first line is {first[:60]!r}. Give JSON (one object a "
        "line or an array, see schema/), CSV with a header, the handbook's CSV or C-MAPSS text."
    )


def _expect(path: Path, what: str, kind: str, events: str) -> None:
    if kind != events:
        raise FileError(f"{path} holds {what}: run `./stormwatch publish {kind} {path}`.")


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(msgspec.json.decode(line), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _numbers(line: bytes) -> int:
    """How many numbers a line holds; 0 if anything else is in it."""
    try:
        return len([float(cell) for cell in line.split()])
    except ValueError:
        return 0
