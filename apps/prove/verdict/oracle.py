"""What must be in the tables: the pure core run over the log, one batch after another, no cache."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.dead_letters.redaction import names
from stormwatch.dead_letters.rows import redacted
from stormwatch.ingest import notices
from stormwatch.parsing.batch import parse_batch
from stormwatch.parsing.mapping import marks
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Domain
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.write_timestamps import outcome_stamp


class Batch(NamedTuple):
    """Records of a fragment; `killer`: a record alone that kills its process."""

    fragment: Fragment
    records: list[Record]
    killer: bool = False


Parse = Callable[..., Any] | Mapping[str, Callable[..., Any]]
"""How records become events, as `parse_one` of `parsing.batch`: all, or those of each topic."""


class Span(NamedTuple):
    """Offsets `first` to `end` - 1 of a partition, under one epoch."""

    topic: str
    partition: int
    epoch: int
    first: int
    end: int


def expected(
    settings: Settings,
    batches: Iterable[Batch],
    domain: Domain[Any, Any],
    parse_one: Parse,
    look: Callable[[Parsed[Any]], None] = lambda parsed: None,
) -> MemoryStore:
    """The tables that these batches lead to, in this order; `look` is told of each of them."""
    core = Core(settings, domain, parse_one, look)
    for batch in batches:
        core.apply(batch)
    return core.store


class Core:
    """The pure core over batches of a log, one after another. `store`: what they led to so far."""

    def __init__(
        self, settings: Settings, domain: Domain[Any, Any], parse_one: Parse,
        look: Callable[[Parsed[Any]], None] = lambda parsed: None,
    ) -> None:  # fmt: skip
        """`look` is told of each batch before it is decided."""
        self.store = MemoryStore(settings.layout_period_h)
        self._settings, self._domain, self._parse_one = settings, domain, parse_one
        self._look = look
        self._masked = names(settings.mask_fields)
        policy = Policy.of(settings, domain.name)
        self._contract = Contract(domain, policy, "oracle", marks(settings), by_reference=True)

    def apply(self, batch: Batch) -> Parsed[Any] | None:
        """Store all that one batch leads to; its events, or None of a record that kills."""
        parsed, store, name = self._parse(batch), self.store, self._domain.name
        if parsed is None:
            return None
        self._look(parsed)
        stripes: dict[int, list[str]] = {}
        for entity in {event.entity for _, _, event in parsed.events}:
            stripe = stripe_of(entity, self._settings.layout_stripes)
            stripes.setdefault(stripe, []).append(entity)
        states = {each: Entry(stripe, b"") for stripe, some in stripes.items() for each in some}
        for entity, blob in store.load_states(name, stripes).items():
            states[entity] = states[entity]._replace(blob=blob)
        outcomes = self._contract.apply(batch.fragment, parsed, states, 0)
        store.write_outcomes(outcomes)
        store.write_states(name, outcomes.states)
        return parsed

    def forget(self) -> None:
        """All that was stored but the states: what comes next is looked at alone."""
        for table in ("decisions", "decided", "alerts", "dead_letters", "ledger"):
            self.store.tables.pop(table, None)

    def _parse_of(self, topic: str) -> Callable[..., Any]:
        found = self._parse_one
        return found[topic] if isinstance(found, Mapping) else found

    def _parse(self, batch: Batch) -> Parsed[Any] | None:
        """What parse makes of a batch; what it sets aside is written. None of a killer's batch."""
        (fragment, records, killer), settings = batch, self._settings
        stamp, name = outcome_stamp(fragment), self._domain.name
        if killer:
            aside = notices.quarantined(fragment, records[0], settings.quarantine_after, "oracle")
            rows = [redacted(row, settings.record_max_bytes, self._masked) for row in aside.rows]
            self.store.write_aside(name, rows, aside.ledger, stamp)
            return None
        made = parse_batch(
            fragment,
            records,
            partial(self._parse_of(fragment.topic), future_skew_ms=settings.future_skew_s * 1000),
            component="oracle",
            record_max_bytes=settings.record_max_bytes,
            masked=self._masked,
            now=0,
        )
        if made.rejected:
            self.store.write_aside(name, made.rejected.rows, made.rejected.ledger, stamp)
        return made.parsed


def cut(
    span: Span,
    runs: Iterable[list[Record]],
    size: Callable[[], int],
    kills: Callable[[Record], bool],
) -> Iterator[Batch]:
    """The records of a span as batches of `size()`, killers alone, every offset in one of them."""
    position, held = span.first, list[Record]()
    wanted = size()
    for record in (record for run in runs for record in run):
        killer = kills(record)
        if held and (killer or len(held) >= wanted):
            yield _batch(span, position, held)
            position, held, wanted = held[-1].offset + 1, [], size()
        if killer:
            yield _batch(span, position, [record])._replace(killer=True)
            position = record.offset + 1
        else:
            held.append(record)
    if held:
        yield _batch(span, position, held)
        position = held[-1].offset + 1
    if position < span.end:  # what is left holds no record
        yield Batch(_fragment(span, position, span.end - 1), [])


def _batch(span: Span, first: int, records: list[Record]) -> Batch:
    return Batch(_fragment(span, first, records[-1].offset), records)


def _fragment(span: Span, first: int, last: int) -> Fragment:
    return Fragment(span.topic, span.partition, span.epoch, first, last, 1, 0)
