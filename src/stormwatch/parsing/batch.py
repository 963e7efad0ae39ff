"""A micro-batch of record values to events, rejections and what needs no deciding. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stormwatch.codec import Asides, Parsed
from stormwatch.dead_letters.rows import redacted, trace
from stormwatch.errors import StormwatchError
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import (
    IGNORED,
    EndState,
    Fragment,
    LedgerRow,
    Record,
    Rejection,
    SetAside,
    age_of,
)

CODES = {
    "tombstone": "The record has a key but no value; a transaction or reading cannot be deleted.",
    "empty": "The value has no bytes, or white space alone.",
    "too_large": "The value is larger than the setting record.max_bytes.",
    "not_utf8": "The value is not UTF-8.",
    "not_json": "The value is not one JSON document (RFC 8259), whole and with nothing after it.",
    "not_framed": "The value does not begin with a zero byte and the number of a schema.",
    "unknown_schema": "The schema registry has no schema of the number that the value begins with.",
    "not_of_schema": "The bytes of the value are not what its Avro or Protobuf schema says.",
    "too_deep": "Objects and lists are nested deeper than 64 levels.",
    "duplicate_key": "An object has the same key twice: readers differ in which one they believe.",
    "unknown_type": "The field `type` names another kind of record than the topic's.",
    "missing_field": "A field that every record of the topic has is absent.",
    "wrong_type": "A field, or the record, is of another JSON type than the schema's.",
    "out_of_range": "A number, a time or the length of a text or list is beyond its limits.",
    "bad_text": "A text has characters that are not allowed there, or an id spaces around it.",
    "bad_time": "The time is not RFC 3339 with an offset from UTC, or no such moment exists.",
    "bad_unit": "The unit is not of the form fleet/run/number.",
    "too_far_in_future": "The time is further ahead of Kafka's than the setting future_skew_s.",
    "unknown_currency": "The currency is not an ISO 4217 code of money, in capitals.",
    "unknown_country": "The country is not an ISO 3166 alpha-2 code, in capitals.",
    "unknown_sensor": "The reading has a sensor that its equipment type does not know.",
    "unknown_equipment": "The reading names an equipment type that the settings do not.",
    "card_number": "The record holds a card number in clear; it is masked wherever it is kept.",
    "raised": "The parser itself failed on the record: a bug, kept with its traceback.",
}
"""Every code of parse, in words. `raised` ends as dead_lettered, all others as rejected."""


class ParsedBatch(NamedTuple):
    """What parse makes of a fragment; `rejected` is None where every record is an event."""

    parsed: Parsed[Any]
    rejected: Asides | None


def parse_batch(
    fragment: Fragment,
    records: Sequence[Record],
    parse_one: Callable[[bytes, int], Any],
    *,
    component: str,
    record_max_bytes: int,
    now: int,
    masked: frozenset[str] = frozenset(),
    check: Callable[[Any], object] | None = None,
) -> ParsedBatch:
    """Parse every record of a fragment, each on its own, in offset order.

    What `parse_one` finds to be IGNORED has its end state in the ledger, and no row.

    `parse_one` takes a value and Kafka's time of it and returns an event or a Rejection; where it
    raises, that record alone is dead-lettered with the traceback. Keys are not looked at. Offsets
    of the fragment without a record are `absent`. `now` (ms) only dates the ledger row. An event
    that `check` raises on is dead-lettered as where `parse_one` raises.
    """
    events: list[tuple[int, int, Any]] = []
    aside: list[SetAside] = []
    ignored: list[Record] = []
    for record in records:
        value = record.value
        try:
            if value is None:
                event: Any = Rejection("tombstone", CODES["tombstone"])
            elif len(value) > record_max_bytes:
                why = (
                    f"the record has more than {record_max_bytes} bytes, which is record.max_bytes"
                )
                event = Rejection("too_large", why)
            else:
                dated = record.dated
                event = parse_one(value, dated)
                if event.__class__ is not Rejection:
                    if check is not None:
                        check(event)
                    events.append((record.offset, dated, event))
                    continue
        except StormwatchError:
            raise
        except Exception:  # a bug in a domain's parser must not stop the partition
            state, event = EndState.DEAD_LETTERED, Rejection("raised", trace())
        else:
            if event is IGNORED:
                ignored.append(record)
                continue
            state = EndState.REJECTED
        aside.append(_set_aside(record, state, event, component, record_max_bytes, masked))
    elsewhere = [row.offset for row in aside] + [record.offset for record in ignored]
    parsed = Parsed(events, sorted(elsewhere), _absent(fragment, records))
    if not elsewhere:
        return ParsedBatch(parsed, None)
    return ParsedBatch(parsed, Asides(aside, _ledger(fragment, aside, ignored, now)))


def _set_aside(
    record: Record, state: EndState, why: Rejection, component: str, limit: int,
    masked: frozenset[str],
) -> SetAside:  # fmt: skip
    if masked and (why.code in CODES and why.code != "raised"):
        why = _unquoted(why, masked)
    row = SetAside(
        record.offset, record.dated, state.value, why.code, _reason(record, why), component,
        record.key, record.value,
    )  # fmt: skip
    return redacted(row, limit, masked)


def _reason(record: Record, why: Rejection) -> str:
    """Says where the time came from that a record was judged by, if not from Kafka."""
    if record.read is None or why.code != "too_far_in_future":
        return why.reason
    told = "has none" if record.timestamp == -1 else f"says {record.timestamp} ms"
    return f"{why.reason} (that is when it was read: Kafka {told}, which is not believed)"


def _unquoted(why: Rejection, masked: frozenset[str]) -> Rejection:
    """`why` without the value that its sentence quotes, where that may be of a masked field."""
    path = re.split(r"[.\[\]]+", why.field)
    if why.field and masked.isdisjoint(path):
        return why
    what = f"`{why.field}` is refused, its value is masked" if why.field else "not quoted: masked"
    return Rejection(why.code, f"{CODES[why.code]} ({what})", why.field)


def _ledger(
    fragment: Fragment, aside: Sequence[SetAside], ignored: Sequence[Record], now: int
) -> LedgerRow:
    ends: dict[str, list[int]] = {}
    for row in aside:
        ends.setdefault(row.state, []).append(row.offset)
    if ignored:
        ends[EndState.IGNORED.value] = [record.offset for record in ignored]
    bitmaps = {state: bitmap_of(offsets, fragment.first) for state, offsets in ends.items()}
    times = (*(row.timestamp for row in aside), *(record.dated for record in ignored))
    return LedgerRow(fragment, "reject", bitmaps, age_of(times, now))


def _absent(fragment: Fragment, records: Sequence[Record]) -> list[int]:
    whole = range(fragment.first, fragment.last + 1)
    if len(records) == len(whole):
        return []
    present = {record.offset for record in records}
    return [offset for offset in whole if offset not in present]
