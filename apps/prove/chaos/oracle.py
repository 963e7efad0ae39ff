"""The oracle of `apps.prove.verdict` over a `Source`: what must be in the tables."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from apps.prove.chaos.errors import ChaosFailed
from apps.prove.verdict import oracle
from apps.prove.verdict.beside import merged, placed
from apps.prove.verdict.oracle import Batch, Span
from stormwatch.adapters import log_reader
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.ingest.commit_metadata import epoch_key, read_epoch
from stormwatch.ports import Source
from stormwatch.records import Record
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain
from stormwatch.state.recorded import Find

Labels = tuple[Source, Find]
"""Of the topic of labels; and what was decided, for it tells where they stand."""
BATCH = 700
"""Another cut than the topology's: it must not matter."""
READ_LIMIT_S = 60.0
"""Without a record for so long, Kafka is taken to have stopped."""


def expected(
    settings: Settings,
    source: Source,
    domain: Domain[Any, Any],
    parse_one: Callable[..., Any],
    kills: Callable[[Record], bool] = lambda record: False,
    labels: Labels | None = None,
    look: Callable[[Parsed[Any]], None] = lambda parsed: None,
) -> MemoryStore:
    """The tables that the whole log leads to; a record that `kills` its process is quarantined.
    `look` is told of each batch."""
    batches = _batches(spans(settings, source), source, kills, BATCH)
    if labels is not None:
        beside, find = labels
        topic = settings.topic_labels
        was_read = read_epoch(beside.recall(epoch_key(topic))) is not None
        lasting = spans(settings, beside, topic) if was_read else []
        parse = partial(parse_one, future_skew_ms=settings.future_skew_s * 1000)
        each = _batches(lasting, beside, kills, 1)
        batches = merged(batches, placed(each, parse, find))
    return oracle.expected(settings, batches, domain, parse_one, look)


def _batches(
    spans: Sequence[Span], source: Source, kills: Callable[[Record], bool], size: int
) -> Iterator[Batch]:
    """Every partition from its oldest record on, cut as a spout may cut; killers stand alone."""
    for span in spans:
        yield from oracle.cut(span, records(source, span), lambda: size, kills)


def spans(settings: Settings, source: Source, topic: str = "") -> list[Span]:
    """What the log of the transactions topic, or of another, holds now. Raises ChaosFailed if none
    ever read it."""
    topic = topic or settings.topic_transactions
    info = source.describe()
    known = read_epoch(source.recall(epoch_key(topic)))
    if info is None or known is None:
        raise ChaosFailed(f"{topic!r} was never read")
    return [
        Span(topic, partition, known.number, *source.watermarks(partition))
        for partition in range(info.partitions)
    ]


def records(source: Source, span: Span) -> Iterator[list[Record]]:
    """Its records, as Kafka gives them. Raises BrokerUnavailable: none came for READ_LIMIT_S."""
    return log_reader.whole(source, span.partition, span.first, span.end, READ_LIMIT_S)
