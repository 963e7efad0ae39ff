"""Why nothing is proven, whatever the tables say: the reasons that make a verdict INVALID."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from apps.operate.rollout.versions import Resolve
from apps.prove.verdict.oracle import Span
from apps.prove.verdict.tables import Stored, Tables
from stormwatch.epochs import incarnation
from stormwatch.ledger.reconcile import segments
from stormwatch.models import NONE
from stormwatch.records import Decision
from stormwatch.state.judge import Domain, Versions, versions_of

_decode = msgspec.json.Decoder(Decision).decode
Times = dict[tuple[int, int], int]
"""(partition, offset) -> Kafka's time of the record, ms."""
Marks = Mapping[int, tuple[int, int, int]]
"""Partition -> oldest offset, end, committed."""


def spans_of(topic: str, have: Stored, marks: Marks) -> tuple[list[Span], list[str]]:
    """The log by epoch, then partition; and why the whole of it cannot be judged."""
    spans, doubts = [], []
    for partition, (low, high, _) in marks.items():
        starts = [(epoch, first) for _, place, epoch, first in have.starts if place == partition]
        if not starts and high > low:
            doubts.append(f"partition {partition} was never read")
        for epoch, first, end in segments(starts, None, high):
            spans.append(Span(topic, partition, epoch, max(first, low), end))
            if low > first:
                doubts.append(
                    f"partition {partition} was read from offset {first}, Kafka has it from {low} "
                    "on only: the states before that cannot be computed"
                )
    if len({incarnation(epoch) for _, _, epoch, _ in have.starts}) > 1:
        doubts.append(
            f"{topic} was made again: the tables contain decisions of its earlier records"
        )
    return sorted(spans, key=lambda span: (span.epoch, span.partition)), doubts


def undecided(want: Iterable[Any], have: Tables, marks: Marks) -> list[str]:
    """Records that the topology has not come to yet are no fault, but no proof either."""
    left = sum(key not in have.ends and key[2] >= marks[key[0]][2] for key in want)  # committed
    return [f"{left} records are not decided yet: wait until the lag is 0"] if left else []


def versions(
    have: Tables, domain: Domain[Any, Any], resolve: Resolve = lambda names: None
) -> list[str]:
    """`resolve` gives the judge of model and rules that were changed while it ran."""
    mine = (domain.model_version, domain.rules_version, domain.feature_set)
    others = sorted(" ".join(each) for each in named(have, domain) if resolve(each[:2]) is None)
    if not others:
        return []
    return [f"there are decisions of other versions ({'; '.join(others)}) than {' '.join(mine)}"]


def named(have: Tables, domain: Domain[Any, Any]) -> set[Versions]:
    """Versions that decisions name and the settings do not."""
    alone = (NONE, domain.rules_version, domain.feature_set)
    found = set()
    for cells in have.decisions.values():
        try:
            decision = _decode(bytes(cells[2]))
        except msgspec.MsgspecError:
            continue  # told as a different row
        found.add((decision.model, decision.rules, decision.feature_set))
    return found - {alone, *versions_of(domain)}


def late_faults(faults: Sequence[int], have: Stored, times: Times) -> list[str]:
    """A fault after the last record was decided tested nothing.

    A ledger row was written `age` after the Kafka time of its oldest record; the batch's oldest
    record of any kind makes this moment too early rather than too late.
    """
    ended = 0
    for row in have.written:
        inside = (times.get((row.partition, offset)) for offset in range(row.first, row.last + 1))
        oldest = min((time for time in inside if time is not None), default=None)
        if oldest is not None:
            ended = max(ended, oldest + row.age)
    return [
        f"the fault at {at} ms landed {at - ended} ms after the last record was decided: it tested "
        "nothing"
        for at in faults
        if at >= ended
    ]
