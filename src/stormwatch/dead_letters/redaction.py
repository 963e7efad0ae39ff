"""Values of configured fields are masked wherever a set-aside record is kept or shown.

Field names are those of the record's JSON, at any depth. A record that is no JSON document is
masked as text, by the same names in quotes. Kafka's own copy of the record is not touched, nor is
the record's key, which says where it belongs.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from stormwatch.dead_letters import card_numbers

MASK = "***"
_encode = msgspec.json.Encoder().encode


def names(setting: str) -> frozenset[str]:
    """The setting `mask.fields`: names with commas between."""
    return frozenset(name.strip() for name in setting.split(",") if name.strip())


def mask(value: bytes, fields: frozenset[str]) -> bytes:
    """`value` with card numbers and the values of `fields` masked; doing it again changes nothing.

    A record without any of the fields comes back byte for byte but for card numbers.
    """
    if fields:
        value = _mask_fields(value, fields)
    return card_numbers.mask(value)


def _mask_fields(value: bytes, fields: frozenset[str]) -> bytes:
    try:
        document = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _pattern(fields).sub(rb'\1"***"', value)
    masked = _masked(document, fields)
    # The second time round nothing differs, and a duplicate key hides no value: see below.
    if masked == document and not _pattern(fields).search(value):
        return value
    return _encode(masked)


def _masked(part: Any, fields: frozenset[str]) -> Any:
    if isinstance(part, dict):
        return {
            key: MASK if key in fields else _masked(inner, fields) for key, inner in part.items()
        }
    if isinstance(part, list):
        return [_masked(inner, fields) for inner in part]
    return part


def _as_written(character: str) -> bytes:
    """A pattern for a character of a name, which JSON may escape."""
    escape = rb"\\+u(?i:%04x)" % ord(character) if ord(character) < 0x10000 else b"(?!)"
    return b"(?:" + re.escape(character.encode()) + b"|" + escape + b")"


@lru_cache(maxsize=8)
def _pattern(fields: frozenset[str]) -> re.Pattern[bytes]:
    """`"name": value` of the fields, the value a string (perhaps cut off) or up to a separator."""
    some = b"|".join(b"".join(map(_as_written, name)) for name in sorted(fields))
    value = rb'(?!"\*\*\*")(?:"(?:[^"\\]|\\.)*+"?|[\[{].*|[^\s,}\]]+)'
    return re.compile(rb'("(?:' + some + rb')"\s*:\s*)' + value, re.DOTALL)
