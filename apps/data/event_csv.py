"""CSV with a header of wire fields, as programs write it.

Cells are separated by `,`, `;`, tab or `|`; quoted ones may hold separators, quotes (doubled) and
line breaks. An empty cell is an absent field, an unnamed column no field at all. A reading's
sensors have columns of their names, its operating settings `setting1`, `setting2`, …

A row that is no event is sent all the same, for the pipeline to set it aside where all can see it:
its cells by their names, and `type` says what is wrong with it.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from apps.data.event_formats import KEYS, REQUIRED, SENSORS, malformed, number, whole
from apps.data.publish import Event
from apps.data.text_files import FileError, Text

_DELIMITERS = ",;\t|"
_SETTING = re.compile(r"setting([0-9]{1,2})")
_encode = msgspec.json.Encoder().encode


Fields = Callable[[dict[str, str]], dict[str, object]]


class Header(NamedTuple):
    """The names of the columns, and how cells are told apart."""

    names: list[str]
    delimiter: str
    spaced: bool  # a space follows each separator
    quote: str = '"'

    def fields_of(self, events: str) -> int:
        """How many of the fields that an event must have are columns."""
        return sum(name in self.names for name in REQUIRED[events])

    def check(self, path: object, events: str) -> None:
        """Raises FileError for a column that is missing, there twice or, in readings, unknown."""
        named = [name for name in self.names if name]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise FileError(
                f"{path} has two columns named {', '.join(twice)}: one of them would be lost. "
                "Rename or remove one of them."
            )
        if missing := [name for name in REQUIRED[events] if name not in named]:
            raise FileError(
                f"{path} has no column {', '.join(missing)} in its header: name the columns as the "
                f"fields in schema/{events}.md."
            )
        if events == "readings":
            self._check_readings(path, named)

    def _check_readings(self, path: object, named: list[str]) -> None:
        settings = _settings(named)
        known = {*REQUIRED["readings"], "type", *settings, *SENSORS}
        if unknown := [name for name in named if name not in known]:
            raise FileError(
                f"{path} has columns that are neither fields nor sensors: {', '.join(unknown)}. "
                "Rename them as in schema/readings.md, or remove them: a reading with a "
                "misspelt sensor would be decided without that sensor."
            )
        if not any(name in SENSORS for name in named):
            raise FileError(
                f"{path} has no column of a sensor. schema/readings.md names the sensors."
            )
        for place, name in enumerate(settings, start=1):
            if name != f"setting{place}":
                raise FileError(
                    f"{path} has a column {name} but none setting{place}: operating settings are "
                    "identified by their number. Number them from 1 on, without gaps."
                )


def header(
    line: bytes, events: str, delimiters: str = _DELIMITERS, quote: str = '"'
) -> Header | None:
    """The header that this line is, if it can be one. It is taken with the separator that fits."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    found = []
    for delimiter in delimiters:
        spaced = f"{delimiter} " in text
        try:
            cells = next(_reader(iter([text]), delimiter, spaced, quote))
        except csv.Error:
            continue
        names = [cell.strip() for cell in cells]
        found.append(Header(names, delimiter, spaced, quote))
    best = max(found, key=lambda one: (one.fields_of(events), len(one.names)), default=None)
    return best if best and len(best.names) > 1 else None


class Csv:
    """The rows under a header."""

    def __init__(
        self, header: Header, events: str, fields: Fields | None = None, fault: str = "type",
        headless: bool = False,
    ) -> None:  # fmt: skip
        """`fields` makes a record's fields of a row's cells; else they are those of the wire.

        A row of too many or too few cells is sent with what is wrong with it in the field `fault`.
        With `headless` the first line is a row.
        """
        self._fault, self._headless = fault, headless
        self._header, self._key = header, KEYS[events]
        self._fields = fields or (_Readings(header) if events == "readings" else _fields)

    def __call__(self, text: Text) -> Iterator[Event]:
        """An event for each row that is not empty."""
        lines = _Lines(text.lines())
        if not self._headless:
            next(text for text in lines.texts() if text.strip())
        rows = _reader(
            lines.texts(), self._header.delimiter, self._header.spaced, self._header.quote
        )
        while True:
            lines.taken.clear()
            try:
                cells = next(rows)
                event = self._event(cells) if any(map(str.strip, cells)) else None
            except StopIteration:
                return
            except csv.Error as error:
                event = malformed(lines.first(), f"a CSV row that cannot be read: {error}")
            except UnicodeEncodeError:
                event = Event(None, b"\n".join(lines.taken))  # refused as not_utf8
            if event is not None:
                yield event

    def _event(self, cells: list[str]) -> Event:
        names = self._header.names
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()  # separators that close the row
        row = {name: cell for name, cell in zip(names, cells, strict=False) if name and cell}
        if len(cells) != len(names):
            why = f"a CSV row of {len(cells)} cells under a header of {len(names)}"
            return Event(None, _encode(row | {self._fault: why, "surplus": cells[len(names) :]}))
        key = row.get(self._key)
        return Event(None if key is None else key.encode(), _encode(self._fields(row)))


class _Lines:
    """Lines as csv wants them; those of a quote that does not end are given again, one by one."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines, self._again = lines, deque[bytes]()
        self.taken: list[bytes] = []  # of the row in work

    def texts(self) -> Iterator[str]:
        """The lines. What is not UTF-8 becomes lone surrogates."""
        while (line := self._next()) is not None:
            self.taken.append(line)
            yield line.decode("utf-8", "surrogateescape") + "\n"

    def first(self) -> bytes:
        """The first line of the row in work; the others are given again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        return first

    def _next(self) -> bytes | None:
        return self._again.popleft() if self._again else next(self._lines, None)


def _reader(
    texts: Iterator[str], delimiter: str, spaced: bool, quote: str = '"'
) -> Iterator[list[str]]:
    return csv.reader(
        texts, delimiter=delimiter, skipinitialspace=spaced, strict=True, quotechar=quote
    )


def _settings(names: Iterable[str]) -> list[str]:
    """The columns of operating settings, by place."""
    found = [(int(match[1]), match[0]) for name in names if (match := _SETTING.fullmatch(name))]
    return [name for _, name in sorted(found)]


class _Readings:
    """Cells of a reading, by name, to the fields of the wire."""

    def __init__(self, header: Header) -> None:
        self._settings = _settings(header.names)

    def __call__(self, row: dict[str, str]) -> dict[str, object]:
        settings = [number(row[name]) if name in row else None for name in self._settings]
        while settings and settings[-1] is None:
            settings.pop()
        return {
            **{
                name: whole(row[name]) if name == "cycle" else row[name]
                for name in (*REQUIRED["readings"], "type")
                if name in row
            },
            "settings": settings,
            "sensors": {name: number(cell) for name, cell in row.items() if name in SENSORS},
        }


def _fields(row: dict[str, str]) -> dict[str, object]:
    return row | {name: whole(row[name]) for name in ("amount", "rating") if name in row}
