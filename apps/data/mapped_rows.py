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
from stormwatch.parsing.mapping import FAULT, Mapped
from stormwatch.parsing.rejections import UNPARSABLE

_encode = msgspec.json.encode


def read(
    paths: Iterable[Path], events: str, mapped: Mapped, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """The records of all files, keyed by the entity that the mapping finds in them.

    CSV with a header, or JSON with one object a line; each also as .gz or through a pipe. Raises
    FileError.
    """
    for path in paths:
        for value in _values(Text(path, stopped), events):
            yield Event(_key(mapped, value), value)


def _key(mapped: Mapped, value: bytes) -> bytes | None:
    try:
        return mapped.entity(value).encode()
    except UNPARSABLE:
        return None  # the parse bolt says what is wrong with it


def _values(text: Text, events: str) -> Iterator[bytes]:
    first = next(text.look(), b"")
    text.rewind()
    if not first:
        raise FileError(f"{text.path} is empty; give a file with one record a line.")
    if first.startswith(b"{"):
        return (line for line in map(bytes.strip, text.lines()) if line)
    header = event_csv.header(first, events)
    if header is None:
        raise FileError(
            f"{text.path} is in no known format: its first line is {first[:60]!r}. Give CSV with a "
            "header, or JSON with one object a line."
        )
    named = [name for name in header.names if name]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise FileError(
            f"{text.path} has two columns named {', '.join(twice)}: one of them would be lost. "
            "Rename or remove one of them."
        )
    rows = event_csv.Csv(header, events, _Cells(text.path.name), FAULT)
    return (event.value for event in rows(text))


class _Cells:
    """Cells by their columns' names to a record, with its file and row."""

    def __init__(self, file: str) -> None:
        self._file, self._row = file, 0

    def __call__(self, row: dict[str, str]) -> dict[str, object]:
        self._row += 1
        return {**row, "_file": self._file, "_row": str(self._row)}
