"""Whose turn it is among the partitions of one spout task. Pure."""

from collections.abc import Collection

from stormwatch.ingest.partition import Partition


def choose(
    partitions: Collection[Partition], now: float, suspects_from: float, others_first: bool = False
) -> list[Partition]:
    """Whose item may be sent now. What goes alone goes while nothing else is in flight.

    Of that, what one turn clears is first, then what killed its process when it was alone, then
    what nobody suspects; what is suspected not before `suspects_from`. With `others_first` (what
    goes alone had its turn last) all that may go together do so before.
    """
    ready = [p for p in partitions if p.item]
    alone = [p for p in ready if p.item and p.item.alone]
    if alone:
        others = [p for p in ready if p.item and not p.item.alone]
        begun = [p for p in ready if p.item and p.item.begun]
        empty = [p for p in ready if p.item and p.item.empty]
        turn = [p for p in alone if not p.suspected or now >= suspects_from]
        first = sorted(turn, key=lambda p: (not p.suspected, p.found))[:1]
        ready = begun or empty or (others if others_first else []) or first or others
    return [p for p in ready if p.item and p.item.due(now)]
