"""A verdict on real services: what is read, what the oracle runs over, and what makes it INVALID.

It has to be run with the topology's own settings, and once the topology has nothing left to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from random import Random
from typing import Any

import msgspec

from apps.domains import MAKE, stream_of
from apps.verdict import oracle
from apps.verdict.judge import FAIL, Verdict, judge
from apps.verdict.kafka import Log
from apps.verdict.oracle import Batch, Span
from apps.verdict.tables import Stored, Tables, of_memory, stored
from stormwatch.domain import Domain
from stormwatch.epochs import incarnation
from stormwatch.ledger import segments
from stormwatch.records import Decision, EndState, Record
from stormwatch.settings import Settings

CUT_MAX = 700
"""Records in one of the oracle's batches at most: another cut than the topology's."""
_decode = msgspec.json.Decoder(Decision).decode
Times = dict[tuple[int, int], int]
"""(partition, offset) -> Kafka's time of the record, ms."""


def verdict(
    settings: Settings,
    name: str,
    seed: int,
    faults: Sequence[int] = (),
    domain: Domain[Any, Any] | None = None,
) -> Verdict:
    """Judge what the topology `name` stored. `faults`: when each was made, ms since the epoch.

    The seed decides how the oracle cuts the log into batches, which must not matter. Raises
    InfrastructureError, ModelError.
    """
    stream = stream_of(settings, name)
    domain = domain or MAKE[name](settings)
    have = stored(settings, name, stream.topic)
    with closing(Log(settings, stream.topic)) as log:
        marks = log.marks()
        spans, doubts = _spans(stream.topic, have, marks)
        times: Times = {}
        kills = _quarantined(have.tables)
        size = partial(Random(seed).randint, 1, CUT_MAX)
        batches = _batches(log, spans, size, kills, times)
        want = of_memory(oracle.expected(settings, batches, domain, _parser(domain)))
        doubts += _undecided(want, have.tables, marks)
        doubts += _versions(have.tables, domain)
        doubts += _late_faults(faults, have, times)
        if not times:
            doubts.append(f"the topic {stream.topic} holds no records")

        def events() -> Iterator[tuple[str, int, Any]]:
            for span in spans:
                for run in log.read(span.partition, span.first, span.end):
                    for record in run:
                        ends = want.ends.get((span.partition, span.epoch, record.offset))
                        if ends and EndState.SCORED in ends:
                            event: Any = domain.parse(record.value or b"", record.timestamp)
                            yield event.entity, record.offset, event

        made = judge(want, have.tables, seed, doubts, _Events(events()), domain)
        if made.status == FAIL and len({span.epoch for span in spans}) > 1:
            made.why.append(
                "partitions were added: of keys that moved, the order before and after is not "
                "promised, so their decisions may differ"
            )
        return made


class _Events:
    """The scored events by entity; read at the first use, which only a fault leads to."""

    def __init__(self, read: Iterator[tuple[str, int, Any]]) -> None:
        self._read = read
        self._known: dict[str, list[tuple[int, Any]]] = {}

    def __call__(self, entity: str) -> Sequence[tuple[int, Any]]:
        for name, offset, event in self._read:
            self._known.setdefault(name, []).append((offset, event))
        return self._known.get(entity, [])


def _parser(domain: Domain[Any, Any]) -> Any:
    return lambda value, timestamp, future_skew_ms: domain.parse(value, timestamp)


def _spans(
    topic: str, have: Stored, marks: Mapping[int, tuple[int, int, int]]
) -> tuple[list[Span], list[str]]:
    """The log by epoch, then partition; and why the whole of it cannot be judged."""
    spans, doubts = [], []
    for partition, (low, high, _) in marks.items():
        starts = [(epoch, first) for place, epoch, first in have.starts if place == partition]
        if not starts and high > low:
            doubts.append(f"partition {partition} was never read")
        for epoch, first, end in segments(starts, None, high):
            spans.append(Span(topic, partition, epoch, max(first, low), end))
            if low > first:
                doubts.append(
                    f"partition {partition} was read from offset {first}, Kafka has it from {low} "
                    "on only: the states before cannot be known"
                )
    if len({incarnation(epoch) for _, epoch, _ in have.starts}) > 1:
        doubts.append(f"{topic} was made again: the tables hold decisions of its earlier records")
    return sorted(spans, key=lambda span: (span.epoch, span.partition)), doubts


def _quarantined(have: Tables) -> set[tuple[int, int]]:
    return {
        (key[2], key[5]) for key, cells in have.dead_letters.items() if cells[1] == "kills_process"
    }


def _batches(
    log: Log, spans: Sequence[Span], size: Any, killers: set[tuple[int, int]], times: Times
) -> Iterator[Batch]:
    for span in spans:

        def runs(span: Span = span) -> Iterator[list[Record]]:
            for run in log.read(span.partition, span.first, span.end):
                times.update(((span.partition, r.offset), r.timestamp) for r in run)
                yield run

        def kills(record: Record, partition: int = span.partition) -> bool:
            return (partition, record.offset) in killers

        yield from oracle.cut(span, runs(), size, kills)


def _undecided(want: Tables, have: Tables, marks: Mapping[int, tuple[int, int, int]]) -> list[str]:
    """Records that the topology has not come to yet are no fault, but no proof either."""
    left = sum(
        key not in have.ends and key[2] >= marks[key[0]][2] for key in want.ends
    )  # committed
    return [f"{left} records are not decided yet: wait until the lag is 0"] if left else []


def _versions(have: Tables, domain: Domain[Any, Any]) -> list[str]:
    mine = (domain.model_version, domain.rules_version, domain.feature_set)
    found = set()
    for cells in have.decisions.values():
        try:
            decision = _decode(bytes(cells[2]))
        except msgspec.MsgspecError:
            continue  # told as a different row
        found.add((decision.model, decision.rules, decision.feature_set))
    others = sorted(" ".join(versions) for versions in found - {mine})
    if not others:
        return []
    return [f"there are decisions of other versions ({'; '.join(others)}) than {' '.join(mine)}"]


def _late_faults(faults: Sequence[int], have: Stored, times: Times) -> list[str]:
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
