"""End states by offset, from the rows of the ledger; our own reading of what they mean."""

from collections.abc import Mapping
from typing import Any

from stormwatch.ledger.bitmap import offsets
from stormwatch.records import SHARED, EndState

_EXPIRED = str(EndState.EXPIRED)
Place = tuple[int, int, int]  # partition, epoch, offset
Try = tuple[int, int]  # generation, attempt


class Ends:
    """(partition, epoch, offset) -> every end state that was said of it.

    After a repartition batches of other partitions may come between two tries at an offset and
    change what becomes of it: there the last try stands. Elsewhere every word counts, but that a
    record expired: that is said of whole ranges, in which some may have met their end before.
    """

    def __init__(self) -> None:
        self._own: dict[Place, frozenset[str]] = {}
        self._shared: dict[Place, tuple[Try, frozenset[str]]] = {}

    def add(
        self, partition: int, epoch: int, first: int, part: str, nth: Try, bits: Mapping[str, bytes]
    ) -> None:
        """One row."""
        shared = part.startswith(SHARED)
        for state, bitmap in bits.items():
            for offset in offsets(bitmap, first):
                place = partition, epoch, offset
                if not shared:
                    self._own[place] = self._own.get(place, frozenset()) | {state}
                    continue
                before, said = self._shared.get(place, (nth, frozenset()))
                if nth >= before:
                    said = said if nth == before else frozenset()
                    self._shared[place] = nth, said | {state}

    def table(self) -> dict[tuple[Any, ...], Any]:
        """All that was added."""
        out: dict[tuple[Any, ...], Any] = dict(self._own)
        for place, (_, said) in self._shared.items():
            out[place] = out.get(place, frozenset()) | said
        return {place: said - {_EXPIRED} or said for place, said in out.items()}
