"""The port `Cursors` in memory."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from stormwatch.cursors import Anchor, Cursor


class MemoryCursors:
    """What `MemoryStore` offers of logs that keep no offsets."""

    def __init__(self) -> None:
        super().__init__()
        self._cursors: dict[tuple[str, str], dict[int, Cursor]] = {}
        self._anchors: dict[tuple[str, int], dict[int, Anchor]] = {}

    @abstractmethod
    def _fail(self, method: str) -> Any: ...

    def cursors(self, log: str, reader: str) -> dict[int, Cursor]:
        """See the port."""
        self._fail("cursors")
        return dict(self._cursors.get((log, reader), {}))

    def write_cursors(self, log: str, reader: str, cursors: Mapping[int, Cursor]) -> None:
        """See the port."""
        self._fail("write_cursors")
        kept = self._cursors.setdefault((log, reader), {})
        for partition, cursor in cursors.items():
            before = kept.get(partition)
            stays = before.ended if before is not None and cursor.ended is None else cursor.ended
            kept[partition] = cursor._replace(ended=stays)

    def anchors(self, log: str, partition: int) -> list[Anchor]:
        """See the port."""
        self._fail("anchors")
        kept = self._anchors.get((log, partition), {})
        return [kept[offset] for offset in sorted(kept)]

    def anchor(self, log: str, partition: int, wanted: Anchor) -> Anchor:
        """See the port."""
        self._fail("anchor")
        return self._anchors.setdefault((log, partition), {}).setdefault(wanted.offset, wanted)
