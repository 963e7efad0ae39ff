"""Posts topic: record values to events and back. The format: schema/posts.md."""

from typing import Annotated

import msgspec
from msgspec import Meta

from stormwatch.domains.social.event import Post
from stormwatch.parsing.fields import Id, Time, check_ids, check_time, from_ms
from stormwatch.parsing.rejections import UNPARSABLE, check_kind, check_rest, explain, refuse
from stormwatch.records import Rejection

KIND = "post"
TEXT_MAX = 2_000


class _Wire(msgspec.Struct, omit_defaults=True, gc=False):
    id: Id
    author: Id
    time: Time
    text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    type: str | None = None


_QUOTES = 16  # of four names and four texts; `type` adds four, a quote within the text one
_decode = msgspec.json.Decoder(_Wire).decode
_encode = msgspec.json.Encoder().encode


def parse(value: bytes, timestamp: int, *, future_skew_ms: int) -> Post | Rejection:
    """Decode and validate one record value; `timestamp` is Kafka's, ms. Never raises on data."""
    try:
        return _event(_decode(value), value, timestamp, future_skew_ms)
    except UNPARSABLE as error:
        return explain(value, error, KIND)


def _event(wire: _Wire, value: bytes, timestamp: int, future_skew_ms: int) -> Post:
    if wire.type is not None:
        check_kind(wire.type, KIND)
    # A key that is unknown or there twice adds quotes, and nothing takes any away.
    if value.count(b'"') != _QUOTES + 4 * (wire.type is not None):
        check_rest(value)
    check_ids(id=wire.id, author=wire.author)
    if wire.text.isspace():
        raise refuse("bad_text", "text", "is white space alone", wire.text)
    return Post(
        wire.id, wire.author, check_time(wire.time, value, timestamp, future_skew_ms), wire.text
    )


def to_wire(event: Post) -> bytes:
    """The record value that `parse` reads back to the same event."""
    return _encode(_Wire(event.id, event.author, from_ms(event.time), event.text))
