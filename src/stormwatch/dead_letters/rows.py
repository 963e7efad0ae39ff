"""What is kept of a record that was set aside, and how the dead-letters topic tells of it.

The topic's format: schema/dead-letters.md.
"""

import msgspec

from stormwatch.dead_letters import card_numbers
from stormwatch.dead_letters.redaction import mask
from stormwatch.records import Fragment, SetAside

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


def kept(row: SetAside, max_bytes: int, masked: frozenset[str] = frozenset()) -> SetAside:
    """`row` as it may be stored: cards and `masked` fields masked, the value cut at `max_bytes`.

    Doing it again changes nothing.
    """
    key = None if row.key is None else _cut(mask(row.key, frozenset()), max_bytes)
    raw = None if row.raw is None else _cut(mask(row.raw, masked), max_bytes)
    reason = card_numbers.mask_text(row.reason)
    if masked:
        reason = mask(reason.encode(errors="backslashreplace"), masked).decode()
    if (key, raw, reason) == (row.key, row.raw, row.reason):
        return row
    return msgspec.structs.replace(row, key=key, raw=raw, reason=reason)


def _cut(value: bytes, max_bytes: int) -> bytes:
    return value if len(value) <= max_bytes else card_numbers.mask_end(value[:max_bytes])


def message(fragment: Fragment, row: SetAside) -> bytes:
    """The value of the dead-letters topic's record for `row`; its key is the row's own."""
    letter = DeadLetter(
        row.state, row.code, row.reason, row.component, fragment.topic, fragment.partition,
        row.offset, row.timestamp, row.key, row.raw,
    )  # fmt: skip
    return _encode(letter)
