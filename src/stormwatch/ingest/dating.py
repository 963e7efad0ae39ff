"""The time that a record is judged by: Kafka's, where that can be believed. Pure.

Kafka's time of a record is what its producer wrote. A record that is dated further ahead than the
allowed lateness, by its event and by Kafka, would set the clock of its entity: all that comes after
would be late, for as long as it is ahead. (Within the lateness it makes nothing late.) So where
Kafka has no time of a record, or one that far ahead of the reader's own clock, the record is judged
by the reader's clock at its first reading.

That moment decides, so it must be the same whenever the record is read again: it is written into
the offset commit before the record is handed on (`Partition`), and kept with what became of it
(`timestamp` of decisions and of set-aside records).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stormwatch.records import Record


class Dating(NamedTuple):
    """`now` is the reader's clock, ms; `ahead_ms` how far ahead of it Kafka's time is believed."""

    now: Callable[[], int]
    ahead_ms: int

    def of(self, records: Sequence[Record]) -> Sequence[Record]:
        """Records as they are read, with the moment where they are to be judged by it."""
        now = self.now()
        latest = now + self.ahead_ms
        if all(0 <= record.timestamp <= latest for record in records):
            return records
        return self.at(now, records)

    def at(self, moment: int, records: Sequence[Record]) -> list[Record]:
        """The same, all read at `moment`."""
        latest = moment + self.ahead_ms
        return [
            replace(record, read=None if 0 <= record.timestamp <= latest else moment)
            for record in records
        ]


def judged_by(record: Record, kept: int | None, ahead_ms: int) -> Record:
    """A record that was read before, with the time that it was judged by then.

    `kept` is the `timestamp` that its decision, or its row among what was set aside, has.
    """
    if kept is None or (record.timestamp >= 0 and record.timestamp - kept <= ahead_ms):
        return record
    return replace(record, read=kept)
