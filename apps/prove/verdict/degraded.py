"""Decisions by rules alone: when the model had no score no oracle can know, so they are believed.

What is believed is the mark, nothing else: a marked decision has to be, byte for byte, what the
rules alone decide of that record, and all others what model and rules do.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from apps.prove.verdict.tables import Tables
from stormwatch.records import Decision
from stormwatch.state.judge import Verdict

Key = tuple[str, int, str]
"""Entity, event time, id."""

_decode = msgspec.json.Decoder(Decision).decode


def is_degraded(body: bytes) -> bool:
    """Whether a stored decision is marked."""
    try:
        return _decode(bytes(body)).degraded is True
    except msgspec.MsgspecError:
        return False  # told as a different row


def marked(found: Tables) -> set[Key]:
    """The decisions that are marked."""
    return {key[3:6] for key, cells in found.decisions.items() if is_degraded(cells[2])}


def take_fallen(found: Tables) -> int:
    """Take out alerts of a first try that a second took back, one of the two by rules alone.

    `stormwatch.state.alerts` leaves them out too. How many there were.
    """
    decisions = {key[3:6]: cells for key, cells in found.decisions.items()}
    fallen = []
    for key, (_, time, _, _, body) in found.alerts.items():
        cells = decisions.get((key[4], time, key[5]))
        if cells and not cells[4] and is_degraded(body) != is_degraded(cells[2]):
            fallen.append(key)
    for key in fallen:
        del found.alerts[key]
    return len(fallen)


class Partly:
    """A domain with a model that has no score of some events."""

    def __init__(self, domain: Any, keys: set[Key]) -> None:
        self._domain, self._keys = domain, keys
        self._alone = domain.by_rules() if keys else domain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._domain, name)

    def decide(
        self,
        events: Sequence[Any],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Any],
    ) -> list[Verdict]:
        """As the domain's; those events by rules alone."""
        rows = list(zip(events, features, carries, strict=True))
        alone = [(event.entity, event.time, event.id) in self._keys for event in events]
        halves = []
        for domain, wanted in ((self._domain, False), (self._alone, True)):
            half = [row for row, each in zip(rows, alone, strict=True) if each is wanted]
            halves.append(iter(domain.decide(*zip(*half, strict=True)) if half else ()))
        return [next(halves[each]) for each in alone]
