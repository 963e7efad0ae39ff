"""A verdict on real services: what is read, what the oracle runs over, and what makes it INVALID.

It has to be run with the topology's own settings, and once the topology has nothing left to do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from random import Random
from typing import Any

from apps.data.mappings import parser
from apps.operate.domains import MAKE, provable
from apps.operate.rollout.versions import Resolve, resolver
from apps.prove.verdict import degraded, oracle, preconditions, tables
from apps.prove.verdict.as_judged import AsJudged, of_tables
from apps.prove.verdict.beside import merged, placed
from apps.prove.verdict.epochs import aligned
from apps.prove.verdict.judge import FAIL, Judgement, beyond, judge
from apps.prove.verdict.kafka import TopicReader
from apps.prove.verdict.named import Named
from apps.prove.verdict.oracle import Batch, Span
from apps.prove.verdict.preconditions import Times
from apps.prove.verdict.recorded import Stored
from apps.prove.verdict.second import Learned, differences
from apps.prove.verdict.tables import Tables, of_memory, stored
from stormwatch.adapters import connect
from stormwatch.records import EndState, Record
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain
from stormwatch.state.recorded import AsRecorded
from stormwatch.state.second_key import second_of

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
    have = stored(settings, name, stream.topics)
    times: Times = {}
    size = partial(Random(seed).randint, 1, CUT_MAX)
    find = Stored(name, have.tables)
    with ExitStack() as stack:
        judges: Resolve = lambda names: None  # noqa: E731
        judged: Any = domain
        if preconditions.named(have.tables, domain):
            registry = stack.enter_context(closing(connect.store(settings)))
            judges = resolver(settings, registry, name, domain)
            judged = Named(domain, find, judges)
        logs = [
            _Log(stack.enter_context(closing(TopicReader(settings, topic))), settings, have)
            for topic in stream.topics
        ]
        first, *beside = logs
        why = [doubt for log in logs for doubt in log.doubts]
        aligned(have.tables, [span for log in logs for span in log.spans])
        killers = _quarantined(have.tables)
        parsers = {topic: parser(settings, topic, domain) for topic in stream.topics}
        skew_ms = settings.future_skew_s * 1000
        labels = [
            each
            for log in beside
            for each in placed(
                log.batches(lambda: 1, killers, {}),
                partial(parsers[log.reader.topic], future_skew_ms=skew_ms),
                find,
            )
        ]
        batches = merged(first.batches(size, killers, times), labels)
        key = second_of(domain) if settings.topology_terminals else None
        learned = None if key is None else Learned(key)
        look = learned.look if learned else lambda parsed: None
        told: Any = AsRecorded(judged, find)
        believed: Any = degraded.Partly(told, degraded.marked(have.tables))
        degraded.take_fallen(have.tables)
        want = of_memory(oracle.expected(settings, batches, believed, parsers, look))
        why += [doubt for log in logs for doubt in log.undecided(want)]
        why += preconditions.versions(have.tables, domain, judges)
        why += preconditions.late_faults(faults, have.of(stream.topic), times)
        if not times:
            why.append(f"the topic {stream.topic} holds no records")
        parse = partial(parsers[stream.topic], future_skew_ms=skew_ms)
        read = _Events(_scored(first.reader, first.spans, want, parse, first.judged))
        made = judge(want, have.tables, seed, why, read, told)
        if key is not None and learned is not None:
            there = stored(settings, key.name, ()).tables.states
            blobs = {entity: bytes(blob) for (_, _, entity), blob in there.items()}
            beyond(made, list(differences(key, learned.states(), blobs)))
    spans = first.spans
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


def _quarantined(have: Tables) -> set[tuple[int, int, int]]:
    return {
        (key[2], key[4], key[5])
        for key, cells in have.dead_letters.items()
        if cells[1] == "kills_process"
    }


class _Log:
    """A topic, and what is stored of it."""

    def __init__(self, reader: TopicReader, settings: Settings, have: tables.Stored) -> None:
        self.reader = reader
        self._have, topic = have, reader.topic
        self._marks = reader.marks()
        self.spans, self.doubts = preconditions.spans_of(topic, have.of(topic), self._marks)
        self.judged = AsJudged(settings, partial(of_tables, have.tables, topic))

    def undecided(self, want: Tables) -> list[str]:
        """See `preconditions`."""
        epochs = {span.epoch for span in self.spans}
        ends = [key for key in want.ends if key[1] in epochs]
        return preconditions.undecided(ends, self._have.tables, self._marks)

    def batches(
        self, size: Callable[[], int], killers: set[tuple[int, int, int]], times: Times
    ) -> Iterator[Batch]:
        """What it holds, cut by `size`; Kafka's times go to `times`."""
        for span in self.spans:

            def runs(span: Span = span) -> Iterator[list[Record]]:
                read = self.reader.read(span.partition, span.first, span.end)
                for run in self.judged(span.partition, read):
                    times.update(((span.partition, r.offset), r.dated) for r in run)
                    yield run

            def kills(record: Record, span: Span = span) -> bool:
                return (span.partition, span.epoch, record.offset) in killers

            yield from oracle.cut(span, runs(), size, kills)
