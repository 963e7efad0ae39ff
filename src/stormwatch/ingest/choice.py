"""Whose turn it is among the partitions of one spout task. Pure."""

from collections.abc import Collection

from stormwatch.ingest.partition import Partition


def choose(partitions: Collection[Partition], now: float, suspects_from: float) -> list[Partition]:
    """Whose item may be sent now. A probe goes out only while nothing else is in flight.

    Probes that were suspected before come first, not before `suspects_from`.
    """
    ready = [p for p in partitions if p.item]
    probes = [p for p in ready if p.item and p.item.probe]
    if probes:
        empty = [p for p in ready if p.item and p.item.empty]
        ready = [p for p in ready if p.item and p.item.begun] or empty
        if not ready:
            first = max(probes, key=lambda p: p.tries)
            ready = [first] if not first.tries or now >= suspects_from else []
    return [p for p in ready if p.item and p.item.due(now)]
