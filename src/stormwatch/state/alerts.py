"""Which rows of the table of alerts stand.

A process may die between writing a batch's alerts and its commit; where another version of rules
or model then takes the batch up, it may decide otherwise, and the row of the first try is left
behind. The decision is what counts.
"""

from collections.abc import Callable, Iterable, Sequence

from stormwatch.records import DecisionKey, DecisionRow


def standing(
    rows: Iterable[DecisionRow],
    limit: int,
    decisions: Callable[[Sequence[DecisionKey]], Iterable[DecisionRow]],
) -> list[DecisionRow]:
    """The `limit` newest by Kafka's time, newest first, without those whose decision is no alert.

    `decisions` finds what is stored of the keys; an alert outlives a decision that has run out.
    """
    newest = sorted(rows, key=lambda r: (-r.timestamp, r.entity, r.id))[:limit]
    fallen = {_key(row) for row in decisions([_key(row) for row in newest]) if not row.alert}
    return [row for row in newest if _key(row) not in fallen]


def _key(row: DecisionRow) -> DecisionKey:
    return DecisionKey(row.stripe, row.entity, row.time, row.id)
