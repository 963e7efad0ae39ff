"""A verdict on real services: what is read, what the oracle runs over, and what makes it INVALID.

It has to be run with the topology's own settings, and once the topology has nothing left to do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from random import Random
from typing import Any

from apps.data.mappings import parser
from apps.operate.domains import MAKE, provable
from apps.prove.verdict import degraded, oracle, preconditions
from apps.prove.verdict.as_judged import AsJudged, of_tables
from apps.prove.verdict.epochs import aligned
from apps.prove.verdict.judge import FAIL, Judgement, judge
from apps.prove.verdict.kafka import TopicReader
from apps.prove.verdict.oracle import Batch, Span
from apps.prove.verdict.preconditions import Times
from apps.prove.verdict.tables import Tables, of_memory, stored
from stormwatch.records import EndState, Record
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

CUT_MAX = 700
"""Records in one of the oracle's batches at most: another cut than the topology's."""


def verdict(
    settings: Settings,
    name: str,
    seed: int,
    faults: Sequence[int] = (),
    domain: Domain[Any, Any] | None = None,
) -> Judgement:
    """Judge what the topology `name` stored. `faults`: when each was made, ms since the epoch.

    The seed decides how the oracle cuts the log into batches, which must not matter. `domain`
    stands for that of the settings. Raises InfrastructureError, ModelError, SettingsError.
    """
    stream = provable(settings, name)
    domain = domain or MAKE[name](settings)
    have = stored(settings, name, stream.topic)
    with closing(TopicReader(settings, stream.topic)) as log:
        marks = log.marks()
        spans, why = preconditions.spans_of(stream.topic, have, marks)
        aligned(have.tables, spans)
        times: Times = {}
        size = partial(Random(seed).randint, 1, CUT_MAX)
        judged = AsJudged(settings, partial(of_tables, have.tables, stream.topic))
        batches = _batches(log, spans, size, _quarantined(have.tables), times, judged)
        believed: Any = degraded.Partly(domain, degraded.marked(have.tables))
        degraded.take_fallen(have.tables)
        parse_one = parser(settings, stream.topic, domain)
        want = of_memory(oracle.expected(settings, batches, believed, parse_one))
        why += preconditions.undecided(want.ends, have.tables, marks)
        why += preconditions.versions(have.tables, domain)
        why += preconditions.late_faults(faults, have, times)
        if not times:
            why.append(f"the topic {stream.topic} holds no records")
        parse = partial(parse_one, future_skew_ms=settings.future_skew_s * 1000)
        read = _Events(_scored(log, spans, want, parse, judged))
        made = judge(want, have.tables, seed, why, read, domain)
    if made.status == FAIL and len({span.epoch for span in spans}) > 1:
        made.why.append(
            "partitions were added: of keys that moved, the order before and after is not "
            "promised, so their decisions may differ"
        )
    return made


def _scored(
    log: TopicReader,
    spans: Sequence[Span],
    want: Tables,
    parse: Callable[[bytes, int], Any],
    judged: AsJudged,
) -> Iterator[tuple[str, int, Any]]:
    """Entity, offset and event of what is scored, in the order of the log."""
    for span in spans:
        runs = log.read(span.partition, span.first, span.end)
        for run in judged(span.partition, runs):
            for record in run:
                ends = want.ends.get((span.partition, span.epoch, record.offset))
                if ends and EndState.SCORED in ends:
                    event: Any = parse(record.value or b"", record.dated)
                    yield event.entity, record.offset, event


class _Events:
    """The scored events by entity; read at the first use, which only a fault leads to."""

    def __init__(self, read: Iterator[tuple[str, int, Any]]) -> None:
        self._read = read
        self._known: dict[str, list[tuple[int, Any]]] = {}

    def __call__(self, entity: str) -> Sequence[tuple[int, Any]]:
        for name, offset, event in self._read:
            self._known.setdefault(name, []).append((offset, event))
        return self._known.get(entity, [])


def _quarantined(have: Tables) -> set[tuple[int, int]]:
    return {
        (key[2], key[5]) for key, cells in have.dead_letters.items() if cells[1] == "kills_process"
    }


def _batches(
    log: TopicReader,
    spans: Sequence[Span],
    size: Any,
    killers: set[tuple[int, int]],
    times: Times,
    judged: AsJudged,
) -> Iterator[Batch]:
    for span in spans:

        def runs(span: Span = span) -> Iterator[list[Record]]:
            read = log.read(span.partition, span.first, span.end)
            for run in judged(span.partition, read):
                times.update(((span.partition, r.offset), r.dated) for r in run)
                yield run

        def kills(record: Record, partition: int = span.partition) -> bool:
            return (partition, record.offset) in killers

        yield from oracle.cut(span, runs(), size, kills)
