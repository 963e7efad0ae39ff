"""Decides the micro-batches that Flink hands over, and stores what was decided. Knows no Flink.

parse -> decide on copies of the states -> write decisions, ledger, states -> publish -> keep states

Flink's checkpoint is the commit point: it holds states and positions as of one moment. What was
decided after the last one is decided again after a crash, from the same states and so with the same
bytes, and written to the same rows by timestamps that only rise.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from stormwatch.adapters.storm.resources import Connections, now_ms
from stormwatch.codec import Asides
from stormwatch.dead_letters import redaction
from stormwatch.engines.flink.log import Log
from stormwatch.engines.flink.use_case import UseCase
from stormwatch.errors import InfrastructureError
from stormwatch.ingest import notices
from stormwatch.ingest.dating import Dating
from stormwatch.ledger.bitmap import count
from stormwatch.parsing.batch import parse_batch
from stormwatch.parsing.mapping import marks
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, Outcomes, Record, fingerprint_of
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.second_key import Told
from stormwatch.state.set_aside import set_aside

PARSE, DECIDE = "parse", "decide"
"""Components, as the topology names those that do the same."""
LONGEST_PAUSE_S = 5.0


class States(Protocol):
    """States of one partition's entities: Flink's, keyed by partition."""

    def get(self, entity: str) -> bytes | None: ...

    def put(self, entity: str, blob: bytes) -> None: ...


class Decider:
    """One use case in one subtask. Guarantee: a batch's effects are confirmed when `work` returns;
    `states` then holds what it taught, and a batch that raised taught nothing."""

    def __init__(
        self,
        settings: Settings,
        case: UseCase,
        log: Log,
        connections: Connections,
        low: Callable[[int], int],
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = lambda sentence: None,
        recall: Callable[[Sequence[Any]], Told] | None = None,
    ) -> None:
        """`low`: the oldest offset that Kafka has of a partition. Raises BrokerUnavailable.

        `recall`: what events are told of their second keys; without, as of keys never seen.
        """
        self._settings, self._case, self._log = settings, case, log
        self._ask_low = low
        self._connections, self._sleep, self._tell = connections, sleep, tell
        self._recall = recall
        self._masked = redaction.names(settings.mask_fields)
        policy = Policy.of(settings, case.name)
        self._contract: Contract[Any, Any] = Contract(case.domain, policy, DECIDE, marks(settings))
        self._dating = Dating(now_ms, settings.lateness_s * 1000)
        self._stripe = partial(stripe_of, stripes=settings.layout_stripes)
        topics = Topics(
            settings.topic_alerts, settings.topic_dead_letters, settings.topic_decisions
        )
        self._step = StoreStep(
            connections.store, connections.sink, topics, settings.kafka_request_timeout_s,
            self._committed,
        )  # fmt: skip

    def begin(self, partition: int) -> int:
        """The offset at which the reading of a partition began."""
        return self._log.stretches[partition].first

    def work(self, partition: int, first: int, records: Sequence[Record], states: States) -> int:
        """Decide the records of a partition from offset `first` on; the offset after the last.

        They ascend; offsets between them hold no record. While Kafka or Cassandra is away it waits.
        """
        is_whole = records[-1].offset - first + 1 == len(records)
        low = first if is_whole else self._low(partition, first)
        for batch in self._cut(first, self._dating.of(records), low):
            if (begin := min(low, batch[0].offset)) > first:
                self._expired(self._fragment(partition, first, begin - 1))
                first = begin
            fragment = self._fragment(partition, first, batch[-1].offset)
            fragment = replace(fragment, fingerprint=fingerprint_of(batch[-1]))
            self._until_done(partial(self._decide, batch, states), fragment)
            first = fragment.last + 1
        self._until_done(self._note, self._fragment(partition, first, first - 1))
        self._connections.report()
        return first

    def close(self) -> None:
        """Leave Kafka and Cassandra."""
        self._connections.close()

    def _fragment(self, partition: int, first: int, last: int) -> Fragment:
        log = self._log
        return Fragment(log.topic, partition, log.epochs[partition], first, last, log.generation, 0)

    def _cut(self, first: int, records: Sequence[Record], low: int) -> Iterator[Sequence[Record]]:
        """Batches within the settings' limits; one ends, too, where what follows has expired."""
        most, most_bytes = self._settings.batch_max_records, self._settings.batch_max_bytes
        begin = size = 0
        for at, record in enumerate(records):
            own = len(record.value or b"") + len(record.key or b"")
            size += own
            is_gap = first < min(low, record.offset)
            if at > begin and (is_gap or at - begin == most or size > most_bytes):
                yield records[begin:at]
                begin, size = at, own
            first = record.offset + 1
        yield records[begin:]

    def _low(self, partition: int, first: int) -> int:
        found: list[int] = []
        self._until_done(
            lambda fragment: found.append(self._ask_low(fragment.partition)),
            self._fragment(partition, first, first - 1),
        )
        return found[0]

    def _until_done(self, work: Callable[[Fragment], None], fragment: Fragment) -> None:
        """Again and again while Kafka or Cassandra is away: Flink reads no further meanwhile."""
        pause = 0.1
        while True:
            try:
                return work(fragment)
            except InfrastructureError as error:
                self._connections.metrics.failed += 1
                self._tell(f"{fragment} will be tried again: {error}")
                self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                fragment = replace(fragment, attempt=fragment.attempt + 1)

    def _decide(self, batch: Sequence[Record], states: States, fragment: Fragment) -> None:
        parsed, rejected = parse_batch(
            fragment, batch, self._case.parse, component=PARSE, masked=self._masked, now=now_ms(),
            record_max_bytes=self._settings.record_max_bytes,
        )  # fmt: skip
        if rejected is not None:
            self._reject(fragment, rejected)
        names = {event.entity for _, _, event in parsed.events}
        entries = {name: Entry(self._stripe(name), states.get(name) or b"") for name in names}
        told = self._recall([event for _, _, event in parsed.events]) if self._recall else None
        outcomes = self._contract.apply(fragment, parsed, entries, now_ms(), told)
        self._step.work_all([(fragment, outcomes)])
        for row in outcomes.states:
            states.put(row.entity, row.blob)

    def _expired(self, fragment: Fragment) -> None:
        for first in range(fragment.first, fragment.last + 1, notices.EXPIRED_CHUNK):
            last = min(first + notices.EXPIRED_CHUNK - 1, fragment.last)
            part = replace(fragment, first=first, last=last)
            self._until_done(lambda part: self._reject(part, notices.expired(part)), part)
        self._tell(
            f"Kafka deleted offsets {fragment.first} to {fragment.last} of {fragment.topic}"
            f"[{fragment.partition}] before they were read (retention): they count as expired"
        )

    def _note(self, fragment: Fragment) -> None:
        """Where reading has come to, for other commands and for Storm."""
        stretch = replace(self._log.stretches[fragment.partition], position=fragment.first)
        self._connections.store().note_position(self._log.name, stretch)

    def _reject(self, fragment: Fragment, asides: Asides) -> None:
        own = self._connections
        ends = set_aside(self._settings, self._case.name, fragment, asides, own.store, own.sink)
        own.metrics.batch(ends, 0, [], now_ms())

    def _committed(self, outcomes: Outcomes) -> None:
        ends = Counter({state: count(bits) for state, bits in outcomes.ledger.bitmaps.items()})
        self._connections.metrics.batch(
            ends, sum(row.alert for row in outcomes.decisions), outcomes.timestamps, now_ms(),
            outcomes.degraded, outcomes.noted, outcomes.fired,
        )  # fmt: skip
