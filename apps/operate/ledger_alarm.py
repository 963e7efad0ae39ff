"""Gaps and overlaps that last: what the ledger shows for over a minute is an alarm. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from stormwatch.ledger.coverage import Range
from stormwatch.ledger.reconcile import TopicLedger

PATIENCE_S = 60.0
_Where = tuple[str, int, str]  # topic, partition, gap or overlap


class _Seen(NamedTuple):
    range: Range
    since: float


class Alarm:
    """Remembers since when each gap and overlap is there; fed with one look after another."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience = patience_s
        self._seen: dict[_Where, list[_Seen]] = {}

    def look(self, now: float, ledgers: Iterable[TopicLedger]) -> list[str]:
        """What is alarming at `now` (s), a sentence each.

        A range keeps the age of the ranges of the last look that it has offsets in common with.
        """
        seen: dict[_Where, list[_Seen]] = {}
        for ledger in ledgers:
            for part in ledger.partitions:
                for word, ranges in (
                    ("gap", part.unaccounted_ranges), ("overlap", part.conflicting_ranges),
                ):  # fmt: skip
                    where = (ledger.topic, part.partition, word)
                    before = self._seen.get(where, [])
                    seen.setdefault(where, []).extend(
                        _Seen(each, _since(each, before, now)) for each in ranges
                    )
        self._seen = seen
        return [
            _sentence(where, each, now - each.since)
            for where, some in seen.items()
            for each in some
            if now - each.since >= self._patience
        ]


def _since(each: Range, before: Iterable[_Seen], now: float) -> float:
    return min(
        (b.since for b in before if b.range.first <= each.last and each.first <= b.range.last),
        default=now,
    )


def _sentence(where: _Where, seen: _Seen, age: float) -> str:
    topic, partition, word = where
    first, last = seen.range.first, seen.range.last
    what = "no end state" if word == "gap" else f"two end states ({', '.join(seen.range.states)})"
    return (
        f"ALARM: {topic}[{partition}] offsets {first} to {last} have had {what} for {age:.0f} s. "
        "See `./stormwatch ledger --verify`, and keep the logs."
    )
