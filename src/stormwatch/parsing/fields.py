"""What the wire formats share: ids and times."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from stormwatch.parsing.rejections import refuse

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Time = Annotated[datetime, Meta(tz=True)]

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = 946_684_800_000  # 2000-01-01: a clock that was never set is before it


def to_ms(time: datetime) -> int:
    """Milliseconds since the epoch; a finer fraction is cut. Exact: no float is involved."""
    since = time - _ZERO
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """The UTC time that `to_ms` gives `ms` for."""
    return _ZERO + timedelta(milliseconds=ms)


def check_time(time: datetime, timestamp: int, future_skew_ms: int) -> int:
    """The event time in ms, if it can be one for a record that Kafka dates `timestamp`.

    A record without a Kafka time (-1) may be as far ahead as it likes. Raises Refused.
    """
    ms = to_ms(time)
    if ms - timestamp > future_skew_ms and timestamp >= 0:
        why = f"is {(ms - timestamp) / 1000:.3f} s ahead of Kafka's time of the record, "
        why += f"{from_ms(timestamp).isoformat()}; allowed are {future_skew_ms / 1000:g} s"
        raise refuse("too_far_in_future", "time", why, time.isoformat())
    if ms < _EARLIEST:
        raise refuse("out_of_range", "time", "is before the year 2000", time.isoformat())
    return ms


def check_ids(**ids: str) -> None:
    """Ids are printable text without spaces around: keys that people read. Raises Refused."""
    for field, value in ids.items():
        if not value.isprintable():
            raise refuse("bad_text", field, "has characters that cannot be seen", value)
        if value != value.strip():
            raise refuse("bad_text", field, "has spaces around it", f"[{value}]")
