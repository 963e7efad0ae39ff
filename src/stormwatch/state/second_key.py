"""A second key beside an event's entity: what is kept of a payment's terminal, say, to judge it.

A domain that has one names it as `second`. Each parsed event goes two ways: to the bolt that
decides, by its entity, and as visits to the bolt that keeps what is known of second keys
(`stormwatch.state.learn`). The deciding side reads these states from the store, and what it read
becomes part of the decision's features: between two logs, or two bolts, there is no order, so which
visits a decision could see is known by what it recorded and by nothing else. Whoever decides again
(`replay`, `verdict`, the oracles of `chaos`) takes the recorded values.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from stormwatch.codec import Parsed
from stormwatch.dead_letters.rows import raw_of, trace
from stormwatch.errors import StormwatchError
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Store
from stormwatch.records import EndState, SetAside
from stormwatch.state.cache import OVERHEAD
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.judge import Advanced, Domain, Event
from stormwatch.state.news import NewsReader

E_contra = TypeVar("E_contra", contravariant=True)
V = TypeVar("V", bound=Event)
S = TypeVar("S")

PART = "second"
"""`part` of ledger rows beside what is set aside of visits: they say nothing of any offset."""
HOUR = 3_600_000
"""ms of event time."""
DECODED = 4
"""Bytes that a state takes in memory for each of its blob: lists of small numbers (measured)."""

Values = tuple[float, ...]
Told = Callable[[Any], Values]
"""What an event is told of its second key."""


class SecondKey(Protocol[E_contra, V, S]):
    """What is kept by a second key. Pure."""

    name: str
    """Under which states are stored, as of a domain of that name: "fraud.terminals"."""
    visit: type[V]
    """A frozen msgspec.Struct(array_like=True): an event, its `entity` the second key."""
    state: type[S]
    serves_h: int
    """What was read when the events had come to an hour serves those of so many hours more, but for
    keys that were told news since."""
    counts_after_h: int
    """A visit that is no news is of use to events so many hours later, and to none before."""
    feature_names: tuple[str, ...]
    """Of the values; they stand together in the domain's `feature_names`, in this order."""

    def key(self, event: E_contra) -> str:
        """Whose state `values` asks for; "" for an event that is told nothing."""

    def visits(self, event: E_contra) -> Sequence[V]:
        """What is learned of an event: each visit has another entity and an id of its own there."""

    def is_news(self, visit: V) -> bool:
        """Whether a visit tells what counts from the next hour on, see `news`."""

    def to_wire(self, event: E_contra) -> bytes:
        """The bytes kept of an event that `visits` raises on."""

    def new_state(self) -> S:
        """The state of a key never seen."""

    def learn(self, state: S, visit: V) -> None:
        """Learn a visit, in place. Visits come in any order, and any order leads to one state."""

    def values(self, state: S | None, event: E_contra) -> Values:
        """What the event is told, of hours that are closed for it alone; None: never seen."""


def second_of(domain: Any) -> SecondKey[Any, Any, Any] | None:
    """The second key of a domain, if it has one."""
    found: SecondKey[Any, Any, Any] | None = getattr(domain, "second", None)
    return found


def advance_of(domain: Any, told: Told | None = None) -> Callable[[Any, Any], Advanced]:
    """The domain's `advance`, with what each event is `told` of its second key, where it has one;
    without, what is told of a key never seen."""
    tell = tell_of(domain, told)
    if tell is None:
        plain: Callable[[Any, Any], Advanced] = domain.advance
        return plain
    return lambda state, event: domain.advance(state, event, tell(event))


def tell_of(domain: Any, told: Told | None = None) -> Told | None:
    """What tells an event of its second key; None of a domain without one."""
    second = second_of(domain)
    return None if second is None else told or partial(second.values, None)


def place_in(domain: Domain[Any, Any], second: SecondKey[Any, Any, Any]) -> slice:
    """Where the values stand in the domain's features."""
    at = domain.feature_names.index(second.feature_names[0])
    end = at + len(second.feature_names)
    assert domain.feature_names[at:end] == second.feature_names
    return slice(at, end)


class Visits(NamedTuple):
    """What goes to the bolt of second keys: by bucket, ascending; and visits that raised."""

    by_bucket: list[tuple[int, Parsed[Any]]]
    aside: list[SetAside]


def visits_of(
    parsed: Parsed[Any], second: SecondKey[Any, Any, Any], buckets: int, component: str
) -> Visits:
    """The visits of a batch, in offset order, by hash of their key. Never raises on data: an event
    that `visits` raises on is told with its traceback, for it is decided nevertheless."""
    shares: dict[int, list[tuple[int, int, Any]]] = {}
    aside: list[SetAside] = []
    for offset, timestamp, event in parsed.events:
        try:
            for visit in second.visits(event):
                bucket = stripe_of(visit.entity, buckets) if buckets > 1 else 0
                shares.setdefault(bucket, []).append((offset, timestamp, visit))
        except StormwatchError:
            raise
        except Exception as error:  # a bug in a domain's code must not stop the partition
            row = SetAside(
                offset, timestamp, EndState.DEAD_LETTERED, type(error).__name__, trace(), component,
                event.entity.encode(), raw_of(second.to_wire, event),
            )  # fmt: skip
            aside.append(row)
    return Visits([(bucket, Parsed(shares[bucket], [], [])) for bucket in sorted(shares)], aside)


class SecondStates(Generic[S]):
    """States of second keys as the deciding side reads them from the store.

    What was read when the events had come to hour H of event time serves those of hours up to
    H + `serves_h`: `SecondKey.values` counts what is of use by then. For later events it is read
    again, and so are the keys that were told news, of which it hears once an hour (`news`).
    Bounded: the least recently used make room.
    """

    def __init__(
        self,
        second: SecondKey[Any, Any, S],
        stripe_of: Callable[[str], int],
        store: Callable[[], Store],
        max_bytes: int,
        buckets: int = 1,
    ) -> None:
        """`buckets`: over which the visits are spread."""
        self._news = NewsReader(second.name, buckets)
        self._second, self._stripe_of, self._store = second, stripe_of, store
        self._codec: EnvelopeCodec[S] = EnvelopeCodec(second.state, second.new_state)
        self._max = max_bytes
        self._known: OrderedDict[str, tuple[int, S | None, int]] = OrderedDict()
        self._hour = 0
        self._nothing_until = 0  # to events before this hour no key has anything to tell
        self._named: frozenset[str] = frozenset()  # but these
        self.size = 0

    def look(self, events: Iterable[Any]) -> Told:
        """What each of these events is told. Raises StoreUnavailable; StateError for a state of
        another version."""
        second, known = self._second, self._known
        wanted: dict[str, int] = {}
        for event in events:
            key = second.key(event)
            if key:
                hour = event.time // HOUR
                wanted[key] = max(hour, wanted.get(key, hour))
        newest = max(self._hour, *wanted.values(), 0)
        if newest > self._hour:
            self._hear(newest)
        serves = second.serves_h
        states: dict[str, S | None] = {}
        missing: dict[int, list[str]] = {}
        for key, hour in wanted.items():
            entry = known.get(key)
            if entry is not None and hour <= entry[0] + serves:
                known.move_to_end(key)
                states[key] = entry[1]
            elif entry is None and hour < self._nothing_until and key not in self._named:
                states[key] = None
            else:
                missing.setdefault(self._stripe_of(key), []).append(key)
        if missing:
            blobs = self._store().load_states(second.name, missing)
            for keys in missing.values():
                for key in keys:
                    states[key] = self._keep(key, blobs.get(key))

        def told(event: Any) -> Values:
            key = second.key(event)
            return second.values(states[key] if key else None, event)

        return told

    def _hear(self, hour: int) -> None:
        """Forget those that were told news."""
        news = self._news.look(self._store())
        for key in list(self._known) if news.missed else news.keys:
            if (entry := self._known.pop(key, None)) is not None:
                self.size -= entry[2]
        self._named = news.named
        self._nothing_until = news.since + self._second.counts_after_h if news.since else 0
        self._hour = hour

    def _keep(self, key: str, blob: bytes | None) -> S | None:
        state = None if blob is None else self._codec.decode(blob, key).body
        cost = OVERHEAD + len(key) + DECODED * len(blob or b"")
        before = self._known.pop(key, None)
        self.size += cost - (before[2] if before else 0)
        self._known[key] = self._hour, state, cost
        while self.size > self._max and self._known:
            self.size -= self._known.popitem(last=False)[1][2]
        return state
