"""The oracle of `apps.prove.verdict` over a `Source`: what must be in the tables."""

from collections.abc import Callable, Iterator
from typing import Any

from apps.prove.chaos.errors import ChaosFailed
from apps.prove.verdict import oracle
from apps.prove.verdict.oracle import Batch, Span
from stormwatch.adapters import log_reader
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ingest.commit_metadata import epoch_key, read_epoch
from stormwatch.ports import Source
from stormwatch.records import Record
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

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
) -> MemoryStore:
    """The tables that the whole log leads to; a record that `kills` its process is quarantined."""
    return oracle.expected(settings, _batches(settings, source, kills), domain, parse_one)


def _batches(
    settings: Settings, source: Source, kills: Callable[[Record], bool]
) -> Iterator[Batch]:
    """Every partition from its oldest record on, cut as a spout may cut; killers stand alone."""
    for span in spans(settings, source):
        yield from oracle.cut(span, records(source, span), lambda: BATCH, kills)


def spans(settings: Settings, source: Source) -> list[Span]:
    """What the log of the transactions topic holds now. Raises ChaosFailed if none ever read it."""
    topic = settings.topic_transactions
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
