"""The two neighbours that a topology chains or spreads: score and store.

    load missing states -> decide on copies -> write decisions + ledger -> write states -> alerts
    └────────────── ScoreStep ───────────┘    └──────────────── StoreStep ───────────────────┘

Any failure before the states are confirmed leaves the cache as it was; any doubt about them drops
the keys. Guarantee: effects once. A replay finds the marks and does nothing twice, but for the
alerts of stored decisions, which are published again (they carry the decision's id).
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from itertools import count
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from stormwatch.codec import Parsed
from stormwatch.dead_letters.rows import message
from stormwatch.errors import FatalError
from stormwatch.ports import Sink, Store
from stormwatch.records import SHARED, DecisionRow, Fragment, LedgerRow, Outcomes, StateRow
from stormwatch.state.attempts import Tries
from stormwatch.state.cache import Entry, StateCache
from stormwatch.state.judge import Event
from stormwatch.state.processor import Contract
from stormwatch.state.write_timestamps import Fence

E = TypeVar("E", bound=Event)
S = TypeVar("S")


class Fate(Enum):
    """What became of a fragment after a step worked on it."""

    DONE = auto()  # every step behind it succeeded
    FAILED = auto()  # one behind it (or itself) failed: the fragment comes again
    HANDED_ON = auto()  # it went to another process: the partition's next fragment will tell


class Step(Protocol):
    """One link of a chain: takes a fragment's payload and makes the next link's."""

    def work_all(self, batches: Sequence[tuple[Fragment, Any]]) -> list[Any]:
        """The next step's payload of each, None after the last. No partition is there twice.

        Raises InfrastructureError: all are to be tried again.
        """

    def settle(self, fragment: Fragment, fate: Fate) -> None:
        """Told once for each batch worked on, after the links behind it."""


class ScoreStep(Generic[E, S]):
    """Decides batches of one domain from cached or loaded states.

    Behind a re-key hop (`Parsed.share`) a key is fed by several partitions, whose batches stand in
    no order. So the store must be chained: handing on raises FatalError, for the next batch could
    be decided from states that the store has not written yet. And states are stamped by the order
    of writing (`stamps.Fence`): whatever was not confirmed, of this process or of one before it,
    loses to what is written after it, whenever it lands.
    """

    def __init__(
        self,
        contract: Callable[[], Contract[E, S]],
        cache: StateCache,
        stripe_of: Callable[[str], int],
        store: Callable[[], Store],
        clock: Callable[[], int],
    ) -> None:
        self._contract = contract
        self._cache = cache
        self._stripe_of = stripe_of
        self._store = store
        self._clock = clock
        self._open: dict[int, tuple[Fragment, list[StateRow]]] = {}
        self._shared = False
        self._fence = Fence()
        self._tries = Tries()

    def work_all(self, batches: Sequence[tuple[Fragment, Parsed[E]]]) -> list[Outcomes]:
        """Decide each, write nothing. Raises StoreUnavailable if states cannot be read.

        An entity that strayed to another partition of the group goes on from the batch before:
        that one's decisions are confirmed before any state of the group is written.
        """
        decided: list[Outcomes] = []
        ahead: dict[str, Entry] = {}
        for fragment, parsed in batches:
            outcomes = self.work(fragment, parsed, ahead)
            decided.append(outcomes)
            if len(decided) < len(batches):
                ahead |= {row.entity: Entry(row.stripe, row.blob) for row in outcomes.states}
        return decided

    def work(
        self, fragment: Fragment, parsed: Parsed[E], ahead: Mapping[str, Entry] | None = None
    ) -> Outcomes:
        """Decide one batch, write nothing. Raises StoreUnavailable if states cannot be read.

        Behind a re-key hop also Overtaken.
        """
        if parsed.share is not None:
            self._tries.begin(fragment, parsed.share.bucket)
        self._resolve(fragment)
        self._shared = parsed.share is not None
        contract = self._contract()
        domain = contract.domain.name
        floor = 0
        if self._shared:
            stamps = 1 + len(parsed.events)  # what a key is opened with, and one more an event
            if not self._fence.has(stamps):
                self._fence = Fence(self._store().next_term(domain))
            floor = self._fence.take(stamps)
        names = {event.entity for _, _, event in parsed.events}
        states = self._states(domain, names, floor, ahead or {})
        outcomes = contract.apply(fragment, parsed, states, self._clock())
        self._open[fragment.partition] = (fragment, outcomes.states)
        return outcomes

    def settle(self, fragment: Fragment, fate: Fate) -> None:
        if fate is Fate.HANDED_ON:
            if self._shared:
                raise FatalError(
                    "behind a re-key hop score and store must be one bolt: "
                    "steps = (score(...), store(...))"
                )
            return
        _, states = self._open.pop(fragment.partition, (fragment, []))
        if fate is Fate.DONE:
            self._keep(states)
        else:
            self._drop(states)

    def _resolve(self, fragment: Fragment) -> None:
        """Judge what was handed on: the spout goes on past a fragment only once committed."""
        held = self._open.pop(fragment.partition, None)
        if held is None:
            return
        before, states = held
        went_on = fragment.first > before.last and fragment.epoch == before.epoch
        if went_on and fragment.generation == before.generation:
            self._keep(states)
        else:
            self._drop(states)

    def _keep(self, states: Iterable[StateRow]) -> None:
        for row in states:
            self._cache.put(row.entity, Entry(row.stripe, row.blob))

    def _drop(self, states: Iterable[StateRow]) -> None:
        # Whether they were written is not known: read them again at the next use.
        for row in states:
            self._cache.drop(row.entity)

    def _states(
        self, domain: str, names: set[str], floor: int, ahead: Mapping[str, Entry]
    ) -> dict[str, Entry]:
        states: dict[str, Entry] = {}
        missing: dict[int, list[str]] = {}
        for name in names:
            entry = ahead.get(name) or self._cache.get(name)
            if entry is None:
                entry = Entry(self._stripe_of(name), b"")
                missing.setdefault(entry.stripe, []).append(name)
            states[name] = entry._replace(floor=floor) if floor else entry
        if missing:
            for name, blob in self._store().load_states(domain, missing).items():
                states[name] = states[name]._replace(blob=blob)
        return states


class Topics(NamedTuple):
    """Kafka topics that tell of outcomes."""

    alerts: str
    dead_letters: str


class StoreStep:
    """Commits outcomes and tells Kafka: of records set aside before, of alerts after."""

    def __init__(
        self,
        store: Callable[[], Store],
        sink: Callable[[], Sink],
        topics: Topics,
        alert_outcomes: frozenset[str],
        timeout: float,
        committed: Callable[[Outcomes], None],
    ) -> None:
        self._store = store
        self._sink = sink
        self._topics = topics
        self._alert_outcomes = alert_outcomes
        self._timeout = timeout
        self._committed = committed
        self._who, self._works = secrets.token_hex(3), count()

    def work_all(self, batches: Sequence[tuple[Fragment, Outcomes]]) -> list[None]:
        """Write, commit, publish: each kind of write in one go for all batches (of one domain).

        Raises StoreUnavailable (the states may be written in part) or BrokerUnavailable (they are
        written; the replay publishes the alerts again).
        """
        store = self._store()
        for _, outcomes in batches:
            outcomes.ledger = self._own(outcomes.ledger)
        store.write_outcomes(*(outcomes for _, outcomes in batches))
        # Before the commit: a replay would find them decided.
        letters = [(row.key, message(f, row)) for f, outcomes in batches for row in outcomes.aside]
        self._publish(self._topics.dead_letters, letters)
        domain = batches[0][1].domain
        states = [row for _, outcomes in batches for row in outcomes.states]
        if states:
            store.write_states(domain, states)  # the commit point
        alerts: list[DecisionRow] = []
        for _, outcomes in batches:
            self._committed(outcomes)
            alerts += (row for row in outcomes.decisions if row.alert)
            if outcomes.replayed:
                found = store.find_decisions(domain, outcomes.replayed)
                alerts += (row for row in found if row.outcome in self._alert_outcomes)
        told = [(row.entity.encode(), alert_message(domain, bytes(row.body))) for row in alerts]
        self._publish(self._topics.alerts, told)
        return [None] * len(batches)

    def _own(self, row: LedgerRow) -> LedgerRow:
        """A row for each work: where two processes work at one try (one of them is a zombie), each
        with what the other has not committed yet, neither takes back the other's word."""
        if row.part.startswith(SHARED):  # there the last try stands, whole
            return row
        return replace(row, part=f"{row.part}:{self._who}.{next(self._works)}")

    def settle(self, fragment: Fragment, fate: Fate) -> None:
        """Nothing to keep or undo: what is written is written."""

    def _publish(self, topic: str, records: Sequence[tuple[bytes | None, bytes]]) -> None:
        if not records:
            return
        sink = self._sink()
        for key, value in records:
            sink.send(topic, key, value)
        sink.flush(self._timeout)


def alert_message(domain: str, body: bytes) -> bytes:
    """The alerts topic's record: the decision's JSON with its domain in front."""
    return b'{"domain":"' + domain.encode() + b'",' + body[1:]
