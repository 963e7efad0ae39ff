"""What the columns of somebody's records look like: counts, numbers, forms of times. Pure.

A column is a dotted path into the records; a cell of a CSV row is one as well. What is told here is
told of a sample, and `apps.data.proposal` says so where it concludes from it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from stormwatch.dead_letters.card_numbers import holds_card

ABSENT_WORDS = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "?")
"""Texts that stand for no value in a column of numbers or times."""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?|[+-]?\d+,\d+", re.ASCII)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TRIED = 500
"""Values that a pattern of a time is tried on."""

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
         "%d-%b-%Y", "%d %b %Y")  # fmt: skip
_HOURS = (" %H:%M:%S", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S.%f", " %H:%M", "T%H:%M",
          " %I:%M:%S %p", " %I:%M %p", "")  # fmt: skip
_PATTERNS = (*(f"{day}{hour}" for hour in _HOURS for day in _DAYS), "%Y%m%d%H%M%S", "%Y%m%d")
_EPOCHS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
_FROM, _TO = 946_684_800, 4_102_444_800  # seconds of the years 2000 to 2099


class Column:
    """A path and what the sample has there."""

    def __init__(self, path: str, cells: Sequence[Any]) -> None:
        """`cells`: one a record, None or "" where it has none."""
        self.path, self.rows = path, len(cells)
        self.cells = cells
        self.words = words(path)

    @cached_property
    def texts(self) -> list[str]:
        """What is there, as text."""
        return [str(cell) for cell in self.cells if cell not in (None, "")]

    @cached_property
    def distinct(self) -> int:
        return len(set(self.texts))

    @property
    def is_whole_there(self) -> bool:
        """Whether every record has a value."""
        return len(self.texts) == self.rows

    @property
    def is_unique(self) -> bool:
        """Whether every record has a value that no other has."""
        return self.is_whole_there and self.distinct == self.rows

    @cached_property
    def absent(self) -> list[str]:
        """The texts that stand for no value, where nearly all others are of one kind."""
        found = Counter(self.texts)
        return [word for word in ABSENT_WORDS if word in found]

    @cached_property
    def _real(self) -> list[str]:
        return [text for text in self.texts if text not in ABSENT_WORDS]

    @cached_property
    def has_comma(self) -> bool:
        """Whether these are numbers whose decimal sign is a comma."""
        real = self._real
        return any("," in text for text in real) and all(
            _COMMA.fullmatch(text) or text.removeprefix("-").isdecimal() for text in real
        )

    @cached_property
    def numbers(self) -> list[float]:
        """The values, where all of them are numbers; else none."""
        real = self._real
        if self.has_comma:
            real = [text.replace(".", "").replace(",", ".") for text in real]
        if not all(NUMBER.fullmatch(text.strip()) for text in real):
            return []
        return [float(text) for text in real]

    @property
    def is_numeric(self) -> bool:
        return bool(self.numbers)

    @cached_property
    def decimals(self) -> int:
        """Digits behind the decimal sign, the most that a value has; trailing zeros count."""
        sign = "," if self.has_comma else "."
        return max((len(text.partition(sign)[2]) for text in self._real), default=0)

    @property
    def is_integral(self) -> bool:
        return self.is_numeric and all(number.is_integer() for number in self.numbers)

    @property
    def is_constant(self) -> bool:
        return self.distinct == 1 and self.rows > 1

    @cached_property
    def holds_cards(self) -> bool:
        """Whether a value holds a card number in clear."""
        return any(holds_card(text.encode(errors="replace")) for text in self.texts)

    @cached_property
    def times(self) -> list["Form"]:
        """The forms of times that all values fit; several where they are ambiguous."""
        real = self._real[:_TRIED]
        if not real:
            return []
        if self.is_numeric and not self.has_comma:
            epoch = [
                Form(name, False)
                for name, per_s in _EPOCHS.items()
                if all(_FROM * per_s <= number <= _TO * per_s for number in self.numbers)
            ]
            if epoch:
                return epoch
        if all(_is_rfc3339(text) for text in real):
            return [Form("rfc3339", False)]
        return [
            Form(pattern + end, not end)
            for end in ("", "%z", " %z")
            for pattern in _PATTERNS
            if all(_fits(text, pattern + end) for text in real)
        ]


class Form(NamedTuple):
    """One form of times, as a mapping names it."""

    name: str
    needs_zone: bool


def words(name: str) -> set[str]:
    """The words of a column's name, in lower case: `cc_num`, `pumpId` and `Air temp [K]` alike."""
    return {word.lower() for word in _WORDS.findall(name)} | {name.lower()}


def flat(record: dict[str, Any], before: str = "") -> dict[str, Any]:
    """The record's values by dotted path; lists and empty objects are left out."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        elif not isinstance(value, list):
            found[before + name] = value
    return found


def columns(records: Sequence[dict[str, Any]]) -> list[Column]:
    """The columns of flat records, in the order in which they come up."""
    paths = dict.fromkeys(path for record in records for path in record)
    return [Column(path, [record.get(path) for record in records]) for path in paths]


def are_unique(chosen: Sequence[Column]) -> bool:
    """Whether no two records have the same values in all of these columns."""
    rows = list(zip(*(column.cells for column in chosen), strict=True))
    return len(set(rows)) == len(rows)


def _is_rfc3339(text: str) -> bool:
    if len(text) < 16 or not text[:4].isdecimal():
        return False
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _fits(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - only whether it fits
    except ValueError:
        return False
    return True
