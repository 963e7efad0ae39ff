"""Generated events that go on in time where their topic ends."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from apps.data.kinds import BY_EVENTS, FeedOptions
from apps.data.publish import Keyed
from stormwatch.adapters import log_reader
from stormwatch.ports import Source

_TAIL = 20
_QUIET_S = 2.0


class _Timed(msgspec.Struct):
    time: datetime


_timed = msgspec.json.Decoder(_Timed).decode


def generated(
    events: str, seed: int, run: str, newest: int | None, customers: int = 5_000, units: int = 50
) -> Iterator[Keyed]:
    """Endless events of a kind and run, after the event time `newest` (ms)."""
    return BY_EVENTS[events].feed(FeedOptions(seed, run, newest, customers, units))


def newest_time(source: Source) -> int | None:
    """The latest event time (ms) among the last records of each partition; None if there is none.

    Raises BrokerUnavailable.
    """
    topic = source.describe()
    marks = {p: source.watermarks(p) for p in range(topic.partitions)} if topic else {}
    ends = {p: mark.high for p, mark in marks.items() if mark.high > mark.low}
    times = [
        _time_of(record.value)
        for partition, end in ends.items()
        for some in log_reader.records(
            source, partition, max(marks[partition].low, end - _TAIL), end, _QUIET_S
        )
        for record in some
    ]
    return max((time for time in times if time is not None), default=None)


def _time_of(value: bytes | None) -> int | None:
    try:
        return round(_timed(value or b"").time.timestamp() * 1000)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        return None  # not an event: it has no say
