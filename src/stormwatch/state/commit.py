"""The second of two neighbours that a topology chains or spreads: commits what was decided.

Guarantee: effects once. A replay finds the marks and does nothing twice, but for the alerts of
stored decisions, which are published again (they carry the decision's id).
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from stormwatch.dead_letters.rows import message
from stormwatch.ports import AtomicStore, Sink, Store
from stormwatch.records import SHARED, Decided, DecisionRow, Fragment, LedgerRow, Outcomes
from stormwatch.state.step import Outcome


class Topics(NamedTuple):
    """Kafka topics that tell of outcomes."""

    alerts: str
    dead_letters: str
    decisions: str = ""
    """Of all decisions; "" where nobody wants them there."""


class StoreStep:
    """Commits outcomes; publishes dead letters to Kafka before the commit, and alerts, or all
    decisions too, after it."""

    commits = True

    def __init__(
        self,
        store: Callable[[], Store],
        sink: Callable[[], Sink],
        topics: Topics,
        timeout: float,
        committed: Callable[[Outcomes], None],
        tells: bool = False,
    ) -> None:
        """`tells`: whether a bolt reads the decisions of each batch."""
        self._tells = tells
        self._store = store
        self._sink = sink
        self._topics = topics
        self._timeout = timeout
        self._committed = committed
        self._who, self._works = secrets.token_hex(3), count()

    def work_all(self, batches: Sequence[tuple[Fragment, Outcomes]]) -> list[Decided | None]:
        """Write, commit, publish: each kind of write in one go for all batches (of one domain).

        Raises StoreUnavailable (the states may be written in part) or BrokerUnavailable (they are
        written; the replay publishes alerts, and decisions, again).
        """
        for _, outcomes in batches:
            outcomes.ledger = self._own(outcomes.ledger)
        store, domain = self._store(), batches[0][1].domain
        self._commit(store, domain, batches)
        everything: list[DecisionRow] = []
        decided: list[Decided | None] = []
        for fragment, outcomes in batches:
            self._committed(outcomes)
            found = []
            if outcomes.replayed:
                found = store.find_decisions(domain, outcomes.replayed)
            everything += (*outcomes.decisions, *found)
            bodies = _in_order(fragment, outcomes.decisions, found) if self._tells else []
            decided.append(Decided(domain, bodies) if bodies else None)
        self._publish(self._topics.alerts, _told(domain, (r for r in everything if r.alert)))
        if self._topics.decisions:
            self._publish(self._topics.decisions, _told(domain, everything))
        return decided

    def _commit(
        self, store: Store, domain: str, batches: Sequence[tuple[Fragment, Outcomes]]
    ) -> None:
        # Before the commit: a replay would find them decided.
        letters = [(row.key, message(f, row)) for f, outcomes in batches for row in outcomes.aside]
        if isinstance(store, AtomicStore):
            self._publish(self._topics.dead_letters, letters)
            store.commit([outcomes for _, outcomes in batches])
            return
        store.write_outcomes(*(outcomes for _, outcomes in batches))
        self._publish(self._topics.dead_letters, letters)
        states = [row for _, outcomes in batches for row in outcomes.states]
        if states:
            store.write_states(domain, states)  # the commit point

    def _own(self, row: LedgerRow) -> LedgerRow:
        """A row for each work: where two processes work at one try (one of them is a zombie), each
        with what the other has not committed yet, neither takes back the other's word."""
        if row.part.startswith(SHARED):  # there the last try stands, whole
            return row
        return replace(row, part=f"{row.part}:{self._who}.{next(self._works)}")

    def finish(self, fragment: Fragment, outcome: Outcome) -> None:
        """Nothing to keep or undo: what is written is written."""

    def _publish(self, topic: str, records: Sequence[tuple[bytes | None, bytes]]) -> None:
        if not records:
            return
        sink = self._sink()
        for key, value in records:
            sink.send(topic, key, value)
        sink.flush(self._timeout)


def _told(domain: str, rows: Iterable[DecisionRow]) -> list[tuple[bytes | None, bytes]]:
    """Keys and values of the records that tell of decisions."""
    return [(row.entity.encode(), alert_message(domain, bytes(row.body))) for row in rows]


def _in_order(
    fragment: Fragment, now: Sequence[DecisionRow], before: Sequence[DecisionRow]
) -> list[bytes]:
    """Bodies of the fragment's decisions, those of a try before among them, by offset."""
    bodies = [bytes(row.body) for row in now]
    if not before:
        return bodies
    offsets = range(fragment.first, fragment.last + 1)
    placed = {_offset_of(body).offset: body for body in bodies}
    for row in before:  # a duplicate finds the decision of its first, which is of another offset
        body = bytes(row.body)
        place = _offset_of(body)
        here = (place.topic, place.partition) == (fragment.topic, fragment.partition)
        if here and place.offset in offsets:
            placed.setdefault(place.offset, body)
    return [placed[offset] for offset in sorted(placed)]


class _Place(msgspec.Struct):
    topic: str
    partition: int
    offset: int


_offset_of = msgspec.json.Decoder(_Place).decode


def alert_message(domain: str, body: bytes) -> bytes:
    """The alerts topic's record: the decision's JSON with its domain in front."""
    return b'{"domain":"' + domain.encode() + b'",' + body[1:]
