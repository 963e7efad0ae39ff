"""The first of two neighbours that a topology chains or spreads: decides, and writes nothing.

Any failure before the states are confirmed leaves the cache as it was; any doubt about them drops
their keys from it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from stormwatch.codec import Parsed
from stormwatch.errors import FatalError
from stormwatch.ports import Store
from stormwatch.records import Fragment, Outcomes, StateRow
from stormwatch.state.attempts import Tries
from stormwatch.state.cache import Entry, StateCache
from stormwatch.state.judge import Event
from stormwatch.state.processor import Contract
from stormwatch.state.second_key import SecondStates, Told, second_of
from stormwatch.state.skew import SkewProbe
from stormwatch.state.step import Outcome
from stormwatch.state.write_timestamps import Fence

Place = tuple[str, int]
"""Topic and partition."""

E = TypeVar("E", bound=Event)
S = TypeVar("S")


def place_of(fragment: Fragment) -> Place:
    """Where a batch is from."""
    return fragment.topic, fragment.partition


class ScoreStep(Generic[E, S]):
    """Decides batches of one domain from cached or loaded states.

    After a repartition (`Parsed.share`) a key is fed by several partitions, whose batches stand in
    no order. So the store must be chained: handing on raises FatalError, for the next batch could
    be decided from states that the store has not written yet. And states are stamped by the order
    of writing (`stamps.Fence`): whatever was not confirmed, of this process or of one before it,
    loses to what is written after it, whenever it lands.
    """

    commits = False

    def __init__(
        self,
        contract: Callable[[], Contract[E, S]],
        cache: StateCache,
        stripe_of: Callable[[str], int],
        store: Callable[[], Store],
        clock: Callable[[], int],
        hand_on: Callable[[Outcomes, list[Any]], Any] | None = None,
        second_bytes: int = 0,
        second_buckets: int = 1,
        probe: SkewProbe | None = None,
    ) -> None:
        """`hand_on` makes the next step's payload of the outcomes and each decision's carry.

        `second_bytes`: of states of the domain's second key, if it has one, in memory at most;
        0: they are not read, as where no bolt keeps them. `second_buckets`: over which visits are
        spread. `probe` looks at some of what is decided.
        """
        self._second_bytes, self._second_buckets = second_bytes, second_buckets
        self._seconds: SecondStates[Any] | None = None
        self._probe = probe
        self._contract = contract
        self._hand_on = hand_on
        self._cache = cache
        self._stripe_of = stripe_of
        self._store = store
        self._clock = clock
        self._open: dict[Place, tuple[Fragment, list[StateRow]]] = {}
        self._last: dict[Place, Fragment] = {}
        self._shared = False
        self._fence = Fence()
        self._tries = Tries()

    def work_all(self, batches: Sequence[tuple[Fragment, Parsed[E]]]) -> list[Any]:
        """Decide each, write nothing. Raises StoreUnavailable if states cannot be read.

        An entity that strayed to another partition of the group goes on from the batch before:
        that one's decisions are confirmed before any state of the group is written.
        """
        decided: list[Any] = []
        ahead: dict[str, Entry] = {}
        for fragment, parsed in batches:
            decided.append(self.work(fragment, parsed, ahead))
            if len(decided) < len(batches):
                _, states = self._open[place_of(fragment)]
                ahead |= {row.entity: Entry(row.stripe, row.blob) for row in states}
        return decided

    def work(
        self, fragment: Fragment, parsed: Parsed[E], ahead: Mapping[str, Entry] | None = None
    ) -> Any:
        """Decide one batch, write nothing. Raises StoreUnavailable if states cannot be read.

        After a repartition also Overtaken.
        """
        if parsed.share is not None:
            self._tries.begin(fragment, parsed.share.bucket)
        self._resolve(fragment)
        self._meet(fragment)
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
        told = self._told(contract, parsed)
        more = () if told is None else (told,)
        now = self._clock()
        if self._hand_on is None:
            outcomes = contract.apply(fragment, parsed, states, now, *more)
            self._open[place_of(fragment)] = (fragment, outcomes.states)
            if self._probe is not None:
                self._probe.scored(fragment, parsed, states, outcomes, contract.domain)
            return outcomes
        outcomes, carries = contract.apply_with_carries(fragment, parsed, states, now, *more)
        self._open[place_of(fragment)] = (fragment, outcomes.states)
        return self._hand_on(outcomes, carries)

    def finish(self, fragment: Fragment, outcome: Outcome) -> None:
        if outcome is Outcome.HANDED_ON:
            if self._shared:
                raise FatalError(
                    "after a repartition score and store must be one bolt: "
                    "steps = (score(...), store(...))"
                )
            return
        _, states = self._open.pop(place_of(fragment), (fragment, []))
        if outcome is Outcome.DONE:
            self._keep(fragment, states)
        else:
            self._drop(states)

    def _told(self, contract: Contract[E, S], parsed: Parsed[E]) -> Told | None:
        """What the events of a batch are told of their second keys."""
        second = second_of(contract.domain) if self._second_bytes else None
        if second is None:
            return None
        if self._seconds is None:
            self._seconds = SecondStates(
                second, self._stripe_of, self._store, self._second_bytes, self._second_buckets
            )
        return self._seconds.look(event for _, _, event in parsed.events)

    def _resolve(self, fragment: Fragment) -> None:
        """Judge what was handed on: the spout goes on past a fragment only once committed."""
        held = self._open.pop(place_of(fragment), None)
        if held is None:
            return
        before, states = held
        went_on = fragment.first > before.last and fragment.epoch == before.epoch
        if went_on and fragment.generation == before.generation:
            self._keep(before, states)
        else:
            self._drop(states)

    def _meet(self, fragment: Fragment) -> None:
        """Of a later start of the spout: others may have gone on with its partition's keys."""
        place = place_of(fragment)
        last = self._last.get(place)
        now = fragment.epoch, fragment.generation
        if last is None or now > (last.epoch, last.generation):
            if last is not None:
                self._cache.forget(place)
            self._last[place] = fragment

    def _keep(self, fragment: Fragment, states: Iterable[StateRow]) -> None:
        place = place_of(fragment)
        if self._probe is not None:
            self._probe.committed(fragment)
        for row in states:
            self._cache.put(row.entity, Entry(row.stripe, row.blob, place=place))

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
