"""Refusals that a person can act on: a code, a sentence, the field and an excerpt of the record.

Nothing here runs for a record that is right and holds its schema's fields once each.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Never

import msgspec

from stormwatch.dead_letters import card_numbers
from stormwatch.records import Rejection

EXCERPT_BYTES = 200
"""A rejection quotes at most this much of the record."""
DEPTH_MAX = 64
"""Nesting of objects and lists. Fixed here, for the decoder's own limit varies with the stack."""

_LOOKS_LIKE = (
    (b"\xef\xbb\xbf", "it begins with a byte order mark: send UTF-8 without one"),
    (b"\xff\xfe", "it looks like UTF-16: send UTF-8"),
    (b"\xfe\xff", "it looks like UTF-16: send UTF-8"),
    (b"\x1f\x8b", "it looks like gzip: let the Kafka producer compress, not the application"),
    (
        b"\x00",
        "it begins with a zero byte, as a schema registry's records do: a mapping reads them",
    ),
    (b"<", "it looks like XML: send JSON"),
)


class Refused(Exception):
    """Raised within a parser, which returns the `rejection`."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.reason)
        self.rejection = rejection


UNPARSABLE = (Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that a parser of msgspec structs raises for data; `explain` takes any of it."""


def refuse(code: str, field: str, why: str, shown: bytes | str) -> Refused:
    """To be raised: a sentence that says what is wrong with `field`, "" for the whole record."""
    field = excerpt(field)
    what = f"`{field}`" if field else "the record"
    return Refused(Rejection(code, f"{what} {why}: {excerpt(shown)}", field))


def excerpt(shown: bytes | str) -> str:
    """The beginning of a value, at most EXCERPT_BYTES, safe to print, card numbers masked."""
    raw = shown.encode(errors="backslashreplace") if isinstance(shown, str) else shown
    text = card_numbers.mask(raw[: 2 * EXCERPT_BYTES])[:EXCERPT_BYTES].decode(
        errors="backslashreplace"
    )
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text.encode()[:EXCERPT_BYTES].decode(errors="ignore")


def check_rest(value: bytes) -> None:
    """A second look at a record that decoded but holds more than the schema's fields once each.

    Unknown fields are accepted, if they too are JSON in UTF-8, not too deep and no key of any
    object is there twice: JSON readers differ in which of two they believe. Raises Refused.
    """
    if _is_too_deep(value):
        raise refuse("too_deep", "", f"is nested deeper than {DEPTH_MAX} levels", value)
    try:
        _unique.decode(value.decode())
    except UnicodeDecodeError as error:
        at = error.start
        raise refuse("not_utf8", "", f"is not UTF-8 from byte {at}", value[at:]) from error
    except _DuplicateKey as error:
        raise refuse("duplicate_key", error.key, "is there twice", value) from error
    except ValueError as error:
        raise refuse("not_json", "", f"is not JSON: {error}", value) from error


def check_kind(found: str, kind: str) -> None:
    """`type` may be absent; if present it has to be the topic's own. Raises Refused."""
    if found != kind:
        raise refuse("unknown_type", "type", f"has to be {kind!r} on this topic", found)


def explain(value: bytes, error: Exception, kind: str) -> Rejection:
    """The rejection for what a decoder of wire structs, or a parser, raised over `value`.

    A record that is not JSON is reported as that, before any fault in its fields.
    """
    try:
        raise error if isinstance(error, Refused) else _reason(value, error, kind)
    except Refused as refused:
        return refused.rejection


def _reason(value: bytes, error: Exception, kind: str) -> Refused:
    if not value or value.isspace():
        return Refused(Rejection("empty", "the record's value is empty"))
    for prefix, hint in _LOOKS_LIKE:
        if value.startswith(prefix):
            return refuse("not_json", "", f"is not JSON: {hint}", value)
    check_rest(value)
    if isinstance(error, msgspec.ValidationError):
        return _wrong_shape(value, error, kind)
    return refuse("not_json", "", f"is not JSON: {error}", value)


def _wrong_shape(value: bytes, error: msgspec.ValidationError, kind: str) -> Refused:
    message, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    record = json.loads(value.decode(), parse_int=_Number, parse_float=_Number)
    if isinstance(record, dict) and type(declared := record.get("type")) is str:
        check_kind(declared, kind)  # most of all, this is a record of another topic
    if missing := re.fullmatch("Object missing required field `(.*)`", message):
        return refuse("missing_field", missing[1], "is missing", value)
    path, shown = _at(record, path)
    why = f"cannot be used, {message[:1].lower()}{message[1:]}"
    return refuse(code_of(message), path, why, shown if path else value)


def code_of(message: str) -> str:
    if "RFC3339" in message or "timezone" in message:
        return "bad_time"
    if "out of range" in message or re.search("[<>]= ", message):
        return "out_of_range"
    return "wrong_type"


class _Number(str):
    """A number as it was written: of any size, and quoted without quotes."""


def _at(record: Any, path: str) -> tuple[str, str]:
    """The value at msgspec's path, as JSON; `[...]` is the first entry that is not a number."""
    found = record
    named = ""
    for step in re.findall(r"\[\.\.\.\]|\[\d+\]|[^.\[\]]+", path):
        if step == "[...]":
            key = next((k for k, v in found.items() if not _is_number(v)), "")
            named, found = f"{named}.{key}" if key else named, found.get(key)
        elif step.startswith("["):
            named, found = named + step, found[int(step[1:-1])]
        else:
            named, found = f"{named}.{step}" if named else step, found[step]
    return named, found if isinstance(found, _Number) else json.dumps(found, ensure_ascii=False)


def _is_number(value: object) -> bool:
    return isinstance(value, _Number) and abs(float(value)) < float("inf")


class _DuplicateKey(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _refuse_duplicates(pairs: Sequence[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _DuplicateKey(key)
        seen.add(key)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


_unique = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates,
    parse_int=len,  # any number of digits; Python refuses to convert over 4,300
    parse_float=len,
    parse_constant=_refuse_constant,
)

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def _is_too_deep(value: bytes) -> bool:
    if value.count(b"[") + value.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for found in _BRACKETS.finditer(value):
        depth += (found[0] in b"[{") - (found[0] in b"]}")
        if depth > DEPTH_MAX:
            return True
    return False
