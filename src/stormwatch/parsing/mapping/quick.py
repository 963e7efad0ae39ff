"""The common case of a mapping, written out as one function: a record of texts, one key a field.

What `apply` does in loops and calls costs half as much again. Only the way is another: whatever is
unusual in a record (a key that is missing, empty or there twice, another type, a value that is
refused) is given to `apply` whole, which alone says what is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from stormwatch.parsing.mapping import values
from stormwatch.parsing.mapping.document import Field
from stormwatch.parsing.mapping.values import Unusable
from stormwatch.parsing.rejections import UNPARSABLE

_HEAD = """\
def parse(value, timestamp, *, future_skew_ms):
    try:
        record = decode(value)
        if value.count(b'"') == 4 * len(record) and fault not in record and history not in record:
"""
_TAIL = """\
            return make(found, value, timestamp, future_skew_ms)
    except unusual:
        pass
    return slow(value, timestamp, future_skew_ms=future_skew_ms)
"""
_UNUSUAL = (KeyError, Unusable, msgspec.ValidationError, *UNPARSABLE)


class Parts(NamedTuple):
    """What the function is made of."""

    fields: Mapping[str, Field]
    required: tuple[str, ...]
    constants: Mapping[str, Any]
    texts: tuple[tuple[str, str], ...]  # name and key of fields that are the text there
    read: tuple[tuple[str, str, Callable[[Any], Any]], ...]  # of fields that are read from it
    hashed: tuple[str, ...]
    digits: int  # of the currency's minor unit; -1 where there is no amount
    measured: Callable[[dict[str, Any]], dict[str, Any]] | None
    make: Callable[..., Any]
    slow: Callable[..., Any]
    fault: str  # keys that mean something by themselves
    history: str


def written_out(parts: Parts) -> Callable[..., Any]:
    """`parts.slow`, sooner for what is usual. Every name of the mapping is a constant in it."""
    scope: dict[str, Any] = {
        "decode": msgspec.json.Decoder(dict[str, str]).decode, "fault": parts.fault,
        "history": parts.history,
        "make": parts.make, "slow": parts.slow, "unusual": _UNUSUAL, "measured": parts.measured,
        "stable_id": values.stable_id,
        "constants": dict(parts.constants), "Unusable": Unusable,
    }  # fmt: skip
    lines = ["found = constants.copy()"]
    for name, key in parts.texts:
        lines += [_text_at(parts, name, key), f"    found[{name!r}] = text"]
    for nth, (name, key, read) in enumerate(parts.read):
        scope[f"read_{nth}"] = read
        lines.append(_text_at(parts, name, key))
        lines += [f"    {line}" for line in _reading(parts, name, nth)]
    for name in parts.hashed:
        field = parts.fields[name]
        keys = ", ".join(f"record[{key!r}]" for key in field.hash or ())
        lines.append(f"texts = ({keys},)")
        lines.append("if '' in texts: raise KeyError")
        lines.append(f"found[{name!r}] = {field.prefix!r} + stable_id(texts)")
    if parts.measured is not None:
        lines.append("found.update(measured(record))")
    body = "".join(f"            {line}\n" for line in lines)
    exec(_HEAD + body + _TAIL, scope)
    made: Callable[..., Any] = scope["parse"]
    return made


def _text_at(parts: Parts, name: str, key: str) -> str:
    """The line before what is done with the `text` of a field; an optional one may have none."""
    if name in parts.required or parts.fields[name].default is not None:
        return f"if not (text := record[{key!r}]): raise KeyError\n            else:"
    return f"if text := record.get({key!r}):"


def _reading(parts: Parts, name: str, nth: int) -> list[str]:
    """How a field is read from `text`: in place where that is simple, else by its reader."""
    field = parts.fields[name]
    plainly = f"found[{name!r}] = read_{nth}(text)"
    if field.form == "epoch_s":
        simple = "len(text) == 10 and text.isascii() and text.isdecimal()"
        return [f"if {simple}: found[{name!r}] = int(text) * 1000", f"else: {plainly}"]
    if name == "amount" and field.unit == "major" and field.decimal_sign == ".":
        simple = f"whole and len(rest) == {parts.digits} and len(text) < {values.DIGITS}"
        simple += " and text.isascii() and (whole := whole + rest).isdecimal()"
        thousands = f" and not {field.thousands!r}"
        return [
            "whole, _, rest = text.partition('.')",
            f"if {simple}{thousands}: found[{name!r}] = int(whole)", f"else: {plainly}",
        ]  # fmt: skip
    return [plainly]
