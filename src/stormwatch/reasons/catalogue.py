"""The catalogue of sentences: texts.toml beside this file, read once. Pure.

A sentence is chosen by the value and by what it is compared with, and filled with values, so that
a translation is another file and no other code.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter

import msgspec

from stormwatch.features import Feature

TEXTS = Path(__file__).with_name("texts.toml")
Values = Mapping[str, int | float | str]


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be said of one feature; see the head of the file."""

    text: str
    about: str
    zero: str = ""
    one: str = ""
    below: str = ""
    needs: dict[str, str] = {}

    def of(self, value: float, row: Mapping[str, float]) -> str:
        """The one of its texts that fits the value, beside the other values of its row."""
        for name, instead in self.needs.items():
            if not row[name]:
                return instead
        if value < 0 and self.below:
            return self.below
        chosen = {0.0: self.zero, 1.0: self.one}.get(value, "")
        return chosen or self.text

    def every(self) -> Iterator[str]:
        """All its texts."""
        yield from filter(None, (self.text, self.zero, self.one, self.below, *self.needs.values()))

    @property
    def names(self) -> set[str]:
        """The values that its texts name."""
        fields = (field for text in self.every() for _, field, *_ in Formatter().parse(text))
        return {field for field in fields if field is not None}


@cache
def texts(domain: str) -> Mapping[str, Text]:
    """Those of a domain, by feature. Raises KeyError for a domain that has none."""
    found = tomllib.loads(TEXTS.read_text())[domain]
    return msgspec.convert(found, dict[str, Text])


@cache
def flips(domain: str) -> Mapping[str, str]:
    """What is said of each field that may have cleared an alert."""
    return msgspec.convert(tomllib.loads(TEXTS.read_text())["flips"][domain], dict[str, str])


def meaning(feature: Feature, value: float) -> str:
    """What is said of a feature without a text, such as one of one's own."""
    window = f" ({feature.window})" if feature.window else ""
    return f"{feature.meaning}{window}: {value:.6g} {feature.unit}".rstrip()
