"""What is kept of a record that was set aside, and its message on the dead-letters topic.

The topic's format: schema/dead-letters.md.
"""

import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from stormwatch.dead_letters import card_numbers
from stormwatch.dead_letters.redaction import mask
from stormwatch.records import Fragment, SetAside

_TRACE_BYTES = 8_000

_encode = msgspec.json.Encoder().encode


class DeadLetter(msgspec.Struct, frozen=True):
    """A record of the dead-letters topic; bytes are base64 in its JSON."""

    state: str
    code: str
    reason: str
    component: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    raw: bytes | None


def by_fields(event: Any) -> bytes:
    """The fields of a struct by name as JSON, so that the setting `mask.fields` finds them."""
    fields: tuple[str, ...] = getattr(event, "__struct_fields__", ())
    return _encode({name: getattr(event, name) for name in fields})


def redacted(row: SetAside, max_bytes: int, masked: frozenset[str] = frozenset()) -> SetAside:
    """`row` as it may be stored: cards and `masked` fields masked, the value cut at `max_bytes`.

    Doing it again changes nothing.
    """
    row = _in_utf8(row)
    key = None if row.key is None else _cut(mask(row.key, frozenset()), max_bytes)
    raw = None if row.raw is None else _cut(mask(row.raw, masked), max_bytes)
    reason = card_numbers.mask_text(row.reason)
    if masked:
        reason = mask(reason.encode(errors="backslashreplace"), masked).decode()
    if (key, raw, reason) == (row.key, row.raw, row.reason):
        return row
    return msgspec.structs.replace(row, key=key, raw=raw, reason=reason)


def trace() -> str:
    """The traceback at hand: its end, card numbers masked, in characters that can be encoded."""
    raw = card_numbers.mask(traceback.format_exc().encode(errors="backslashreplace"))
    return raw[-_TRACE_BYTES:].decode(errors="replace")


def raw_of(to_wire: Callable[[Any], bytes], event: Any) -> bytes:
    """The bytes kept of an event that is set aside, also where `to_wire` itself fails on it."""
    try:
        return to_wire(event)
    except Exception:  # a domain's code: what it fails on must still be kept
        return repr(event).encode(errors="backslashreplace")


def _in_utf8(row: SetAside) -> SetAside:
    """`row` with texts that can be encoded: an exception's may hold half a character."""
    texts = (row.reason, row.code)
    reason, code = (text.encode(errors="backslashreplace").decode() for text in texts)
    if (reason, code) == texts:
        return row
    return msgspec.structs.replace(row, reason=reason, code=code)


def _cut(value: bytes, max_bytes: int) -> bytes:
    return value if len(value) <= max_bytes else card_numbers.mask_end(value[:max_bytes])


def message(fragment: Fragment, row: SetAside) -> bytes:
    """The value of the dead-letters topic's record for `row`; its key is the row's own."""
    letter = DeadLetter(
        row.state, row.code, row.reason, row.component, fragment.topic, fragment.partition,
        row.offset, row.timestamp, row.key, row.raw,
    )  # fmt: skip
    return _encode(letter)
