"""Two logs in the order in which their records were learned: payments, and labels among them.

No log tells where a label stands among the payments of its customer; its decision does
(`Decision.after`). Only the order within an entity matters, for nothing else is shared.
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from apps.prove.verdict.oracle import Batch
from stormwatch.records import Rejection
from stormwatch.state.recorded import Find, Recorded

Place = tuple[int, int, int]
"""Partition, epoch and offset of a record."""


def placed(
    labels: Iterable[Batch], parse: Callable[[bytes, int], Any], find: Find
) -> list[tuple[Place | None, Batch]]:
    """Each label with the record of its entity after which it was learned; None: before all.

    `labels` are batches of one record at most. What left no decision of its own (it was refused, or
    stands in its log twice) changes no more than marks: it is taken right after the label before.
    """
    found: list[tuple[Place | None, Batch]] = []
    last: dict[str, Place | None] = {}
    for batch in labels:
        place: Place | None = None
        if batch.records and batch.records[0].value is not None and not batch.killer:
            (record,) = batch.records
            event = parse(record.value or b"", record.dated)
            if not isinstance(event, Rejection):
                decision, here = find(event), batch.fragment
                place = last.get(event.entity)
                own = here.topic, here.partition, record.offset
                if decision is not None and own == _place_of(decision):
                    place = max(decision.after, key=_age, default=place)
                last[event.entity] = place
        found.append((place, batch))
    return found


def _place_of(decision: Recorded) -> tuple[str, int, int]:
    return decision.topic, decision.partition, decision.offset


def _age(place: Place) -> tuple[int, int]:
    _, epoch, offset = place
    return epoch, offset


def merged(
    batches: Iterable[Batch], labels: Iterable[tuple[Place | None, Batch]]
) -> Iterator[Batch]:
    """The batches, cut where labels were learned between their records, with these in between."""
    found: dict[int, list[tuple[tuple[int, int], Batch]]] = defaultdict(list)
    for place, label in labels:
        if place is None:
            yield label
        else:
            found[place[0]].append((_age(place), label))
    # A stable sort: those of one place stay in the order of their log.
    waiting = {
        partition: deque(sorted(some, key=lambda each: each[0]))
        for partition, some in found.items()
    }
    for batch in batches:
        here = waiting.get(batch.fragment.partition, deque())
        rest: Batch | None = batch
        while here and rest is not None:
            (epoch, offset), label = here[0]
            first, last = rest.fragment.first, rest.fragment.last
            if (epoch, offset) > (rest.fragment.epoch, last):
                break
            if epoch == rest.fragment.epoch and offset >= first:
                begun, rest = _cut(rest, offset)
                yield begun
            yield label
            here.popleft()
        if rest is not None:
            yield rest
    for some in waiting.values():
        yield from (label for _, label in some)


def _cut(batch: Batch, offset: int) -> tuple[Batch, Batch | None]:
    """The batch up to that offset, and what is left of it."""
    fragment, records = batch.fragment, batch.records
    if offset >= fragment.last:
        return batch, None
    at = bisect_right(records, offset, key=lambda record: record.offset)
    begun = Batch(replace(fragment, last=offset), records[:at], batch.killer)
    return begun, Batch(replace(fragment, first=offset + 1), records[at:], batch.killer)
