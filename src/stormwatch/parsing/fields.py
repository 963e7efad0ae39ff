"""What the wire formats share: ids and times."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

import msgspec
from msgspec import Meta

from stormwatch.parsing.rejections import Refused, refuse

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Time = Annotated[datetime, Meta(tz=True)]

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
SOME_TIME = _ZERO
"""Stands in a wire struct for a time that is known in ms beside it."""
_EARLIEST = 946_684_800_000  # 2000-01-01: a clock that was never set is before it
_LATEST = 253_402_300_799_999  # 9999-12-31 in UTC: no table holds a later one


def to_ms(time: datetime) -> int:
    """Milliseconds since the epoch; a finer fraction is cut. Exact: no float is involved."""
    since = time - _ZERO
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def from_ms(ms: int, utc_offset: int = 0) -> datetime:
    """The time that `to_ms` gives `ms` for, as a clock `utc_offset` minutes ahead of UTC has it."""
    time = _ZERO + timedelta(milliseconds=ms)
    return time.astimezone(timezone(timedelta(minutes=utc_offset))) if utc_offset else time


def in_words(ms: int) -> str:
    """A time for people to read, to the minute."""
    return f"{from_ms(ms):%Y-%m-%d %H:%M} UTC"


def utc_offset(time: datetime) -> int:
    """Minutes that the clock which `time` was read from is ahead of UTC."""
    ahead = time.utcoffset() if time.tzinfo is not UTC else None
    return int(ahead.total_seconds()) // 60 if ahead else 0


class _Timed(msgspec.Struct):
    time: str


_text_of = msgspec.json.Decoder(_Timed).decode
_FRACTION = re.compile(r"(\.\d{3})\d+", re.ASCII)
_ROUNDED_UP = re.compile(rb"\.[0-9]{3}999[5-9]|\\")  # an escape may be a digit


def check_time(
    time: datetime, value: bytes, timestamp: int, future_skew_ms: int, field: str = "time"
) -> int:
    """The event time in ms, if it can be one for a record `value` that Kafka dates `timestamp`.

    A record without a Kafka time (-1) may be as far ahead as it likes. Raises Refused.
    """
    # msgspec rounds a seventh digit of a second: 23:59:59.9999995 would be the next day.
    if value.rfind(b"999") >= 0 and not time.microsecond % 1000 and _ROUNDED_UP.search(value):
        time = msgspec.convert(_FRACTION.sub(r"\1", _text_of(value).time), datetime)
    ms = to_ms(time)
    if (ms - timestamp > future_skew_ms and timestamp >= 0) or not _EARLIEST <= ms <= _LATEST:
        raise _unfit(ms, time, timestamp, future_skew_ms, field)
    return ms


def check_ms(ms: int, timestamp: int, future_skew_ms: int) -> int:
    """As `check_time`, for a time that a mapping read as ms. Raises Refused."""
    if (ms - timestamp > future_skew_ms and timestamp >= 0) or not _EARLIEST <= ms <= _LATEST:
        raise _unfit(ms, from_ms(ms), timestamp, future_skew_ms, "time")
    return ms


def _unfit(ms: int, time: datetime, timestamp: int, future_skew_ms: int, field: str) -> Refused:
    if ms - timestamp > future_skew_ms and timestamp >= 0:
        why = f"is {(ms - timestamp) / 1000:.3f} s ahead of Kafka's time of the record, "
        why += f"{from_ms(timestamp).isoformat()}; allowed are {future_skew_ms / 1000:g} s"
        return refuse("too_far_in_future", field, why, time.isoformat())
    why = "is before the year 2000" if ms < _EARLIEST else "is after the year 9999 in UTC"
    return refuse("out_of_range", field, why, time.isoformat())


def check_ids(**ids: str) -> None:
    """Ids are printable text without spaces around: keys that people read. Raises Refused."""
    for field, value in ids.items():
        if not value.isprintable():
            raise refuse("bad_text", field, "has characters that cannot be seen", value)
        if value != value.strip():
            raise refuse("bad_text", field, "has spaces around it", f"[{value}]")
