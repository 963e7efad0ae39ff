"""Records read from one partition and not yet sent: bounded, in offset order."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stormwatch.ingest.dating import Dating
from stormwatch.records import Record
from stormwatch.stretches import OPEN

_OVERHEAD = 32
"""Bytes counted for a record besides its key and value."""


class BufferLimits(NamedTuple):
    """What bounds a batch."""

    records: int
    bytes: int  # of keys and values; a batch has at least one record
    record_bytes: int  # longer keys and values are cut to one byte more: parse sees they are large
    dating: Dating | None = None  # None: Kafka's times are believed, whatever they are


class Buffer:
    """What waits to be cut into batches. `read` is the offset to be fetched next."""

    def __init__(
        self, read: int, limits: BufferLimits, decided: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.read = read
        self._decided = decided  # (first, end), ascending: not to be taken
        self._limits = limits
        self._records: deque[Record] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def arrived(self, records: Sequence[Record]) -> None:
        """Records in offset order; those already taken are ignored."""
        dating = self._limits.dating
        for record in dating.of(records) if dating else records:
            if record.offset >= self.read:
                self.read = record.offset + 1
                if self._decided and self._is_decided(record.offset):
                    continue
                bounded = self._bounded(record)
                self._bytes += _size(bounded)
                self._records.append(bounded)

    def take(self, most: int, below: int = OPEN) -> list[Record]:
        """The next batch, of up to `most` records of offsets under `below`; [] if none waits."""
        batch: list[Record] = []
        room = self._limits.bytes
        while self._records and len(batch) < most and self._records[0].offset < below:
            size = _size(self._records[0])
            if batch and size > room:
                break
            room -= size
            self._bytes -= size
            batch.append(self._records.popleft())
        return batch

    def _is_decided(self, offset: int) -> bool:
        nth = bisect_right(self._decided, offset, key=lambda span: span[0]) - 1
        return nth >= 0 and offset < self._decided[nth][1]

    def give_back(self, records: Sequence[Record]) -> None:
        """Put back what was taken last: it comes first again."""
        self._bytes += sum(map(_size, records))
        self._records.extendleft(reversed(records))

    @property
    def full(self) -> bool:
        """Two batches wait: fetch no more."""
        return self._holds(2)

    @property
    def hungry(self) -> bool:
        """Less than one batch waits: fetch again."""
        return not self._holds(1)

    def _holds(self, batches: int) -> bool:
        limits = self._limits
        return len(self) >= batches * limits.records or self._bytes >= batches * limits.bytes

    def _bounded(self, record: Record) -> Record:
        most = self._limits.record_bytes + 1
        key, value = record.key, record.value
        if len(key or b"") <= most and len(value or b"") <= most:
            return record
        return replace(record, key=_cut(key, most), value=_cut(value, most))


def _cut(data: bytes | None, most: int) -> bytes | None:
    return None if data is None else data[:most]


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"") + _OVERHEAD
