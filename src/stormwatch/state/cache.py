"""The state cache of one process: least recently used, bounded in bytes.

It holds what Cassandra confirmed, nothing else. The blobs of the batch in work are pinned by the
batch itself, which holds them until it commits.
"""

from collections import OrderedDict
from typing import NamedTuple

OVERHEAD = 268
"""Bytes of an entry besides its key and blob: dict slot, tuple, two object headers, a reference
(measured)."""


class Entry(NamedTuple):
    stripe: int
    blob: bytes
    floor: int = 0  # the next write's stamp must be greater; see `stamps.Fence`
    place: tuple[str, int] | None = None  # the topic and partition that it was last written for


class StateCache:
    """entity -> (stripe, blob)."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.size = 0
        self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, entity: str) -> Entry | None:
        entry = self._entries.get(entity)
        if entry is None:
            self.misses += 1
        else:
            self.hits += 1
            self._entries.move_to_end(entity)
        return entry

    def put(self, entity: str, entry: Entry) -> None:
        """Add or replace; the least recently used make room."""
        self.drop(entity)
        self._entries[entity] = entry
        self.size += self._cost(entity, entry)
        while self.size > self._max and self._entries:
            self.size -= self._cost(*self._entries.popitem(last=False))

    def drop(self, entity: str) -> None:
        """Forget: the next use reads from the store."""
        entry = self._entries.pop(entity, None)
        if entry is not None:
            self.size -= self._cost(entity, entry)

    def clear(self) -> None:
        """Drop all."""
        self._entries.clear()
        self.size = 0

    def forget(self, place: tuple[str, int]) -> None:
        """Drop all that was last written for a partition."""
        for entity in [name for name, entry in self._entries.items() if entry.place == place]:
            self.drop(entity)

    @staticmethod
    def _cost(entity: str, entry: Entry) -> int:
        return OVERHEAD + len(entity) + len(entry.blob)
