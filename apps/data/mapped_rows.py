"""Files of another format, for a mapping: each row as one JSON object of its cells as texts.

`_file` and `_row` are added, so that a mapping can make an id of them. Nothing is converted here:
the parse bolt alone applies the mapping, so that a re-drive after it was mended decides what it
refused before.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from apps.data import event_csv
from apps.data.publish import Event
from apps.data.text_files import FileError, Text
from stormwatch.parsing.mapping import FAULT, SPACE, Csv, Mapped
from stormwatch.parsing.rejections import UNPARSABLE

_encode = msgspec.json.encode
EVENTS = "transactions"
"""Of a header of somebody else's, no name is one of ours: whichever kind is asked for."""


def read(
    paths: Iterable[Path], mapped: Mapped, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """The records of all files, keyed by the entity that the mapping finds in them.

    CSV, as the mapping's table `csv` says, or JSON with one object a line; each also as .gz or
    through a pipe. Raises FileError.
    """
    for path in paths:
        if mapped.format not in ("csv", "json"):
            raise FileError(
                f"{path} cannot be published: the mapping of its topic reads {mapped.format}, and "
                "files are text. Send such records by a producer of your own, or map the file."
            )
        rows = (
            lines(path, mapped.csv, stopped)
            if mapped.format == "csv"
            else values(path, mapped.csv, stopped)
        )
        for value in rows:
            yield Event(_key(mapped, value), value)


def _key(mapped: Mapped, value: bytes) -> bytes | None:
    try:
        return mapped.entity(value).encode()
    except UNPARSABLE:
        return None  # the parse bolt says what is wrong with it


def values(path: Path, csv: Csv, stopped: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
    """The record values of one file. Raises FileError."""
    text = Text(path, stopped)
    first = first_line(text)
    if first.startswith(b"{"):
        return (line for line in map(bytes.strip, text.lines()) if line)
    cells = _Cells(path.name)
    if csv.delimiter == SPACE:
        return _spaced(text, csv.names, cells)
    header = event_csv.header(first, EVENTS, csv.delimiter or ",;\t|", csv.quote)
    if header is None:
        raise FileError(
            f"{path} is in no known format: its first line is {first[:60]!r}. Give CSV with a "
            "header, or JSON with one object a line; the mapping's table [csv] may say more."
        )
    if csv.names:
        header = header._replace(names=csv.names)
    named = [name for name in header.names if name]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise FileError(
            f"{path} has two columns named {', '.join(twice)}: one of them would be lost. "
            "Rename or remove one of them, or name all in the mapping: [csv] names = [...]."
        )
    rows = event_csv.Csv(header, EVENTS, cells, FAULT, headless=bool(csv.names))
    return (event.value for event in rows(text))


def lines(path: Path, csv: Csv, stopped: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
    """The lines of a file as they are, but a header of the columns' names. Raises FileError."""
    text = Text(path, stopped)
    first_line(text)
    header = {(csv.delimiter + more).join(csv.names).encode() for more in ("", " ")}
    rows = (line.rstrip(b"\r\n") for line in text.lines())
    return (row for row in rows if row.strip() and row not in header)


def first_line(text: Text) -> bytes:
    """The first line that is not blank; it is not used up. Raises FileError where there is none."""
    first = next(text.look(), b"")
    text.rewind()
    if not first:
        raise FileError(f"{text.path} is empty; give a file with one record a line.")
    return first


def _spaced(text: Text, names: list[str], cells: "_Cells") -> Iterator[bytes]:
    """Rows whose cells are told apart by blanks, without quotes."""
    for line in text.lines():
        row = line.decode(errors="surrogateescape").split()
        if not names:
            names = row
        elif row:
            found = cells(dict(zip(names, row, strict=False)))
            if len(row) != len(names):
                found[FAULT] = f"a row of {len(row)} cells under {len(names)} names of columns"
            try:
                yield _encode(found)
            except UnicodeEncodeError:
                yield line  # refused as not_utf8


class _Cells:
    """Cells by their columns' names to a record, with its file and row."""

    def __init__(self, file: str) -> None:
        self._file, self._row = file, 0

    def __call__(self, row: dict[str, str]) -> dict[str, object]:
        self._row += 1
        return {**row, "_file": self._file, "_row": str(self._row)}
