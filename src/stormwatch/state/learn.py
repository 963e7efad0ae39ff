"""The step that keeps states of a second key: it learns visits and decides nothing.

Guarantee: each visit counts once, by the state contract: marks for each stretch of a log that fed
the key, ids of the last visits for what stands in the log twice, one write of all states before the
batch is acked, stamped by the order of writing (`write_timestamps.Fence`). Visits commute, so none
is ever late, and batches of any partitions are learned together: a key that several of them visit
is written once.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from stormwatch.codec import Parsed
from stormwatch.dead_letters.rows import raw_of, redacted, trace
from stormwatch.errors import StormwatchError
from stormwatch.ports import Store
from stormwatch.records import EndState, Fragment, LedgerRow, SetAside, StateRow
from stormwatch.state import envelope as known
from stormwatch.state.cache import Entry, StateCache
from stormwatch.state.envelope import Envelope, EnvelopeCodec
from stormwatch.state.judge import Event
from stormwatch.state.news import NewsWriter
from stormwatch.state.processor import Policy
from stormwatch.state.second_key import HOUR, PART, SecondKey
from stormwatch.state.step import Outcome
from stormwatch.state.write_timestamps import Fence, outcome_stamp

V = TypeVar("V", bound=Event)
S = TypeVar("S")

IDS_MAX = 32
"""Ids kept of a key, 16 bytes each: of its last visits as they came, whatever their times, for one
partition may be days ahead of another. What stands in its log twice with more visits of its key
between counts twice."""

_Broken = set[tuple[Fragment, int, str]]


class LearnStep(Generic[V, S]):
    """Learns batches of visits."""

    commits = True

    def __init__(
        self,
        second: SecondKey[Any, V, S],
        policy: Policy,
        cache: StateCache,
        stripe_of: Callable[[str], int],
        store: Callable[[], Store],
        to_wire: Callable[[Any], bytes],
        component: str,
        committed: Callable[[Fragment, Parsed[V]], None],
        buckets: int = 1,
    ) -> None:
        """`to_wire` gives the bytes kept of what `learn` raises on; `committed` is told of each
        batch. `buckets`: over which visits are spread."""
        self._second, self._policy = second, policy
        self._codec: EnvelopeCodec[S] = EnvelopeCodec(second.state, second.new_state)
        self._cache, self._stripe_of, self._store = cache, stripe_of, store
        self._to_wire, self._component, self._committed = to_wire, component, committed
        self._fence = Fence()
        self._news = NewsWriter(second.name, buckets)
        self._is_first = False  # of all processes that ever kept states of this second key
        self._stripes: dict[str, int] = {}  # of what is being learned
        self._starts: dict[tuple[str, int], tuple[int, int]] = {}

    def work_all(self, batches: Sequence[tuple[Fragment, Parsed[V]]]) -> list[None]:
        """Learn them and write what was learned. Raises StoreUnavailable, StateError."""
        for fragment, _ in batches:
            self._meet(fragment)
        blobs = self._load({visit.entity for _, parsed in batches for _, _, visit in parsed.events})
        broken: _Broken = set()
        aside: dict[Fragment, list[SetAside]] = {}
        try:
            learned = self._learn(batches, blobs, broken)
        except StormwatchError:
            raise
        except Exception:  # whatever a domain's code raises: found one by one, the rest is learned
            aside = self._find_broken(batches, blobs, broken)
            learned = self._learn(batches, blobs, broken)
        for fragment, rows in aside.items():
            ledger = LedgerRow(fragment, PART, {}, 0)
            self._store().write_aside(self._second.name, rows, ledger, outcome_stamp(fragment))
        self._write(learned)
        self._tell_news([visit for _, parsed in batches for _, _, visit in parsed.events])
        for fragment, parsed in batches:
            self._committed(fragment, parsed)
        return [None] * len(batches)

    def finish(self, fragment: Fragment, outcome: Outcome) -> None:
        """Nothing to keep or undo: what is written is written."""

    def _meet(self, fragment: Fragment) -> None:
        """Of a later start of the spout: others may have gone on with any key."""
        place = fragment.topic, fragment.partition
        now = fragment.epoch, fragment.generation
        before = self._starts.get(place)
        if before is None or now > before:
            self._starts[place] = now
            self._cache.clear()
            if before is not None:
                self._news.forget()

    def _load(self, names: set[str]) -> dict[str, bytes]:
        blobs: dict[str, bytes] = {}
        missing: dict[int, list[str]] = {}
        stripes = self._stripes = {}
        for name in names:
            entry = self._cache.get(name)
            if entry is None:
                stripes[name] = self._stripe_of(name)
                missing.setdefault(stripes[name], []).append(name)
                blobs[name] = b""
            else:
                stripes[name], blobs[name] = entry.stripe, entry.blob
        if missing:
            blobs |= self._store().load_states(self._second.name, missing)
        return blobs

    def _learn(
        self, batches: Sequence[tuple[Fragment, Parsed[V]]], blobs: dict[str, bytes],
        broken: _Broken,
    ) -> dict[str, Envelope[S]]:  # fmt: skip
        copies: dict[str, Envelope[S]] = {}
        for fragment, parsed in batches:
            for offset, _, visit in parsed.events:
                name = visit.entity
                copy = copies.get(name)
                if copy is None:
                    copy = copies[name] = self._open(name, blobs[name])
                if (fragment, offset, name) not in broken:
                    self._take(fragment, offset, visit, copy)
        return copies

    def _take(self, fragment: Fragment, offset: int, visit: V, copy: Envelope[S]) -> None:
        """One visit, into the copy of its key's state."""
        partition, epoch = fragment.partition, fragment.epoch
        if known.is_decided(copy.marks, partition, epoch, offset, fragment.believed):
            return
        known.advance_marks(copy.marks, partition, epoch, offset)
        digest = known.digest_of(visit.id)
        if known.find_id(copy.ids, digest) is not None:
            return
        self._second.learn(copy.body, visit)
        copy.newest = max(copy.newest, visit.time)
        copy.ids = known.with_last_id(copy.ids, digest, visit.time // 1000, IDS_MAX)

    def _find_broken(
        self, batches: Sequence[tuple[Fragment, Parsed[V]]], blobs: dict[str, bytes],
        broken: _Broken,
    ) -> dict[Fragment, list[SetAside]]:  # fmt: skip
        """Which visits raise, each tried alone after those before it; what is kept of them."""
        now = dict(blobs)
        found: dict[Fragment, list[SetAside]] = {}
        for fragment, parsed in batches:
            for offset, timestamp, visit in parsed.events:
                name = visit.entity
                copy = self._open(name, now[name])
                try:
                    self._take(fragment, offset, visit, copy)
                    now[name] = self._codec.encode(copy)
                except Exception as error:  # whatever a domain's code raises: kept with its trace
                    broken.add((fragment, offset, name))
                    row = SetAside(
                        offset, timestamp, EndState.DEAD_LETTERED, type(error).__name__, trace(),
                        self._component, name.encode(), raw_of(self._to_wire, visit),
                    )  # fmt: skip
                    policy = self._policy
                    row = redacted(row, policy.max_bytes, policy.masked)
                    found.setdefault(fragment, []).append(row)
        return found

    def _open(self, name: str, blob: bytes) -> Envelope[S]:
        if not blob:
            return Envelope(known.VERSION, 0, [], 0, b"", self._second.new_state())
        return self._codec.decode(blob, name)

    def _tell_news(self, visits: Sequence[V]) -> None:
        is_news = self._second.is_news
        news = {visit.entity for visit in visits if is_news(visit)}
        others = ((visit.entity, visit.time // HOUR) for visit in visits if not is_news(visit))
        self._news.write(self._store(), news, others, self._stamp(), is_first=self._is_first)

    def _stamp(self) -> int:
        """Of what is written now, above all of what was written before."""
        if not self._fence.has(1):
            term = self._store().next_term(self._second.name)
            self._is_first = term == 1
            self._fence = Fence(term)
        return self._fence.take(1) + 1

    def _write(self, learned: dict[str, Envelope[S]]) -> None:
        """The commit point. All are written, also where all was learned before: the batches are
        acked for what these states say, and a write that was not confirmed, of a state without it,
        may still land."""
        if not learned:
            return
        store, name = self._store(), self._second.name
        stamp, rows = self._stamp(), []
        stripes, encode = self._stripes, self._codec.encode
        for entity, copy in learned.items():
            copy.stamp = max(copy.stamp + 1, stamp)
            rows.append(StateRow(stripes[entity], entity, encode(copy), copy.stamp))
        try:
            store.write_states(name, rows)
        except StormwatchError:  # whether they were written is not known: read again at next use
            for row in rows:
                self._cache.drop(row.entity)
            raise
        for row in rows:
            self._cache.put(row.entity, Entry(row.stripe, row.blob))
