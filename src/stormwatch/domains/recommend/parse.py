"""Behaviour topic: record values to events and back. The format: schema/behaviour.md."""

from typing import Annotated

import msgspec
from msgspec import Meta

from stormwatch.domains.recommend.event import RATE, Behaviour, Kind
from stormwatch.parsing.fields import Id, Time, check_ids, check_time, from_ms
from stormwatch.parsing.rejections import UNPARSABLE, check_kind, check_rest, explain, refuse
from stormwatch.records import Rejection

KIND = "behaviour"


class _Wire(msgspec.Struct, omit_defaults=True, gc=False):
    id: Id
    user: Id
    time: Time
    action: Kind
    item: Id
    rating: Annotated[int, Meta(ge=1, le=5)] | None = None
    type: str | None = None


_QUOTES = 20  # of five names and five texts; `rating` adds two, `type` four
_decode = msgspec.json.Decoder(_Wire).decode
_encode = msgspec.json.Encoder().encode


def parse(value: bytes, timestamp: int, *, future_skew_ms: int) -> Behaviour | Rejection:
    """Decode and validate one record value; `timestamp` is Kafka's, ms. Never raises on data."""
    try:
        return _event(_decode(value), value, timestamp, future_skew_ms)
    except UNPARSABLE as error:
        return explain(value, error, KIND)


def _event(wire: _Wire, value: bytes, timestamp: int, future_skew_ms: int) -> Behaviour:
    quotes = _QUOTES + 2 * (wire.rating is not None) + 4 * (wire.type is not None)
    if wire.type is not None:
        check_kind(wire.type, KIND)
    # A key that is unknown or there twice adds quotes, and nothing takes any away.
    if value.count(b'"') != quotes:
        check_rest(value)
    check_ids(id=wire.id, user=wire.user, item=wire.item)
    time = check_time(wire.time, value, timestamp, future_skew_ms)
    if (wire.action == RATE) != (wire.rating is not None):
        if wire.rating is None:
            raise refuse("missing_field", "rating", "is missing from a `rate`", value)
        raise refuse("out_of_range", "rating", "belongs to a `rate` only", str(wire.rating))
    return Behaviour(wire.id, wire.user, time, wire.action, wire.item, wire.rating or 0)


def to_wire(event: Behaviour) -> bytes:
    """The record value that `parse` reads back to the same event."""
    return _encode(
        _Wire(
            event.id, event.user, from_ms(event.time), event.kind, event.item, event.rating or None
        )
    )
