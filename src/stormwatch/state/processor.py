"""The state contract: how a batch of events becomes decisions and new states, purely.

For each batch, in offset order and on copies of the states: at or below the mark, already decided;
id known within the horizon, duplicate or conflict; older than the allowed lateness, late; else
features first, then learning. Model and rules run once for the batch. The caller writes decisions,
then states (the commit point), then caches the blobs; see `stormwatch.state.commit`.

Two attempts at the same offsets from the same states give the same bytes, whatever the batches;
but where the model has no score in time one may decide by rules alone what the other did not.
States hold no score, so only decisions differ: those of the later attempt stand. What a domain
remembers of its verdicts (`judge.Settles`: which alarms are open) may differ with them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from stormwatch.codec import Parsed
from stormwatch.dead_letters import redaction
from stormwatch.dead_letters.rows import raw_of, redacted, trace
from stormwatch.errors import FatalError, StormwatchError
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.metrics import Stopwatch
from stormwatch.models import NONE
from stormwatch.parsing.fields import to_ms
from stormwatch.records import (
    IDS_FORGOTTEN,
    LEARNED_ONLY,
    SHARED,
    Decision,
    DecisionKey,
    DecisionRow,
    EndState,
    Fragment,
    LedgerRow,
    Outcomes,
    SetAside,
    StateRow,
    age_of,
)
from stormwatch.settings import Settings
from stormwatch.state import envelope as known
from stormwatch.state.cache import Entry
from stormwatch.state.envelope import Envelope, EnvelopeCodec
from stormwatch.state.judge import LEARNED, UNSCORED, Advanced, Event, Judge, Verdict
from stormwatch.state.second_key import Told, advance_of, tell_of
from stormwatch.state.write_timestamps import outcome_stamp, state_stamp

E = TypeVar("E", bound=Event)
S = TypeVar("S")

_EVER = -(1 << 63)
_NOT_JUDGED = Verdict(LEARNED, UNSCORED, (), noted=LEARNED_ONLY)

BODY_MAX = 512 * 1024
"""Bytes of a decision: below what Kafka takes of an alert, 1 MB, and Cassandra of a row."""

_json = msgspec.json.Encoder().encode


class Policy(NamedTuple):
    """The written policy of lateness and duplicates."""

    lateness_ms: int
    horizon_ms: int
    max_ids: int
    masked: frozenset[str] = frozenset()
    """Fields whose values are not kept of a record that is set aside."""
    max_bytes: int = 65_536
    """What is kept of its value."""
    live_from_ms: int = _EVER
    """Events before this time are learned only."""

    @property
    def memory_ms(self) -> int:
        """How long ids are kept: until what has their time is late, and to the horizon."""
        return max(self.lateness_ms, self.horizon_ms)

    @classmethod
    def of(cls, settings: Settings, domain: str = "") -> "Policy":
        """As the settings say, for a domain of that name."""
        live_from = getattr(settings, f"{domain}_live_from", "")
        return cls(
            settings.lateness_s * 1000, settings.dedup_horizon_s * 1000, settings.dedup_max_ids,
            redaction.names(settings.mask_fields), settings.record_max_bytes,
            to_ms(datetime.fromisoformat(live_from)) if live_from else _EVER,
        )  # fmt: skip


_After = tuple[tuple[int, int, int], ...] | None

_SCORED, _REPLAYED = 0, 1
_LEFT = {2: "duplicate", 3: "conflict", 4: "late", 5: "id_forgotten"}
"""As the compiled core says how a record ended."""


class Held(Protocol):
    """States that the compiled core took."""

    def settled(self, events: list[Any], verdicts: list[Verdict]) -> list[Verdict]:
        """As `Settles.settle` of each in turn."""

    def states(self) -> list[tuple[str, bytes, int]]:
        """Those that were touched, and their stamps."""


class _Written(NamedTuple):
    """Those of a domain that has no last word on its verdicts: as they will be stored."""

    rows: list[tuple[str, bytes, int]]

    def settled(self, events: list[Any], verdicts: list[Verdict]) -> list[Verdict]:
        """See `Held`."""
        return verdicts

    def states(self) -> list[tuple[str, bytes, int]]:
        """See `Held`."""
        return self.rows


Taken = tuple[bytes, list[bool], list[int], list[Any], list[Any], Any, int]


class Compiled(Protocol):
    """What a domain's `compiled(policy)` gives where the compiled core is installed: the same as
    `_Batch._take` and the domain's `advance`, a batch at a time."""

    @property
    def settles(self) -> bool:
        """Whether it does as `Settles.settle`, too; else it is not for a domain that has that."""

    def take(
        self, events: Sequence[Any], states: Mapping[str, Entry], tell: Told | None,
        partition: int, epoch: int, believed: list[tuple[int, int, int]],
    ) -> "Taken | None":  # fmt: skip
        """How each record ended; of those scored which are misplaced; of those left the newest
        event time then; of those scored features and carries; states that were touched, with
        their stamps (`Held` where it `settles`); how many ids were given up. None where something
        is unusual."""

    def decisions(
        self, scored: list[Any], features: list[Any], verdicts: list[Verdict],
        states: Mapping[str, Entry], before: bytes, after: bytes,
    ) -> list[DecisionRow | None]:  # fmt: skip
        """As `_Batch._decision`; None for one that is no plain approval. `before` and `after`: what
        is alike in all bodies, as JSON: from the feature set to the offset, and the mapping."""


class _Broken(NamedTuple):
    """A record whose processing raised, and how."""

    code: str
    trace: str


class Contract(Generic[E, S]):
    """Applies batches for one domain. Holds no state of its own between calls."""

    def __init__(
        self,
        domain: Judge[E, S],
        policy: Policy,
        component: str,
        mappings: Mapping[str, str] = MappingProxyType({}),
        by_reference: bool = False,
        watch: Stopwatch | None = None,
    ) -> None:
        """`mappings`: topic -> what decisions name the mapping by that its events came of.
        `by_reference`: without the compiled core, whatever the domain has. `watch` is told the
        stages of each batch: `metrics.Metrics.spent`."""
        self.domain = domain
        self._watch = watch or Stopwatch()
        self._mappings = mappings
        self._policy = policy
        self._component = component
        self._codec: EnvelopeCodec[S] = EnvelopeCodec(domain.state, domain.new_state)
        self._may_be_marked = "learn_only" in getattr(domain.event, "__struct_fields__", ())
        self._may_be_beside = hasattr(domain.event, "is_beside")
        self._settle = getattr(domain, "settle", None)
        self._advance_all = getattr(domain, "advance_all", None)
        self.compiled: Compiled | None = None
        if not by_reference and policy.live_from_ms == _EVER:
            found = getattr(domain, "compiled", lambda _: None)(policy)
            if found is not None and (self._settle is None or found.settles):
                self.compiled = found

    def apply(
        self, fragment: Fragment, parsed: Parsed[E], states: Mapping[str, Entry], now: int,
        told: Told | None = None,
    ) -> Outcomes:  # fmt: skip
        """Decide a batch.

        `states` holds for each entity of the batch its stripe and blob (empty: never seen). `now`
        (ms) only dates the ledger row. `told`: what an event is told of its second key, where the
        domain has one; without, what is told of a key never seen. A record that raises is isolated,
        set aside as `dead_lettered` with its traceback and learned by no one; its mark still
        advances. Raises StateError for a state of another version; never raises for data.
        """
        return self.apply_with_carries(fragment, parsed, states, now, told)[0]

    def apply_with_carries(
        self, fragment: Fragment, parsed: Parsed[E], states: Mapping[str, Entry], now: int,
        told: Told | None = None,
    ) -> tuple[Outcomes, list[Any]]:  # fmt: skip
        """As `apply`; also the carry of each decision (`Judge.advance`)."""
        self._watch.start()
        advance = advance_of(self.domain, told)
        batch = _Batch(self, fragment, parsed, states, {}, advance)
        batch.compiled, batch.tell = self.compiled, tell_of(self.domain, told)
        try:
            return batch.run(now), batch.carries
        except FatalError:
            raise
        except Exception as error:  # one by one, to set aside just the record that raises
            if isinstance(error, StormwatchError):
                raise
            broken = _Batch(self, fragment, parsed, states, {}, advance).find_broken()
            if not broken:
                raise
            batch = _Batch(self, fragment, parsed, states, broken, advance)
            return batch.run(now), batch.carries


class _Batch(Generic[E, S]):
    """One pass over one batch."""

    def __init__(
        self,
        contract: Contract[E, S],
        fragment: Fragment,
        parsed: Parsed[E],
        states: Mapping[str, Entry],
        broken: Mapping[tuple[int, str], _Broken],
        advance: Callable[[S, E], Advanced],
    ) -> None:
        self._domain = contract.domain
        self._advance = advance
        self._policy = contract._policy
        self._component = contract._component
        self._codec = contract._codec
        self._may_be_marked = contract._may_be_marked
        self._may_be_beside = contract._may_be_beside
        self._settle = contract._settle
        self._advance_all = contract._advance_all
        self._fragment = fragment
        self._watch = contract._watch
        self._mapping = contract._mappings.get(fragment.topic, msgspec.UNSET)
        self._parsed = parsed
        self._share = parsed.share
        self._secondary = frozenset(parsed.share.secondary if parsed.share else ())
        self._accounts = True
        self._states = states
        self._broken = broken
        self._copies: dict[str, Envelope[S]] = {}
        self._touched: dict[str, Envelope[S]] = {}
        self._ends: dict[str, list[int]] = {}
        self._aside: list[SetAside] = []
        self._replayed: list[DecisionKey] = []
        self._scored: list[tuple[int, int, E, bool, _After]] = []
        self._features: list[tuple[float, ...]] = []
        self.carries: list[Any] = []
        self._learned: set[int] = set()
        self._noted: Counter[str] = Counter()
        self.compiled: Compiled | None = None
        self.tell: Told | None = None
        self._held: Held | None = None

    def run(self, now: int) -> Outcomes:
        if not self._take_at_once():
            self._take_all()
        self._watch.lap("features")
        verdicts = self._verdicts()
        self._watch.lap("rules")
        self._noted.update(verdict.noted for verdict in verdicts if verdict.noted)
        fragment = self._fragment
        if self._parsed.absent:
            self._ends[EndState.ABSENT] = self._parsed.absent
        part = "score" if self._share is None else f"{SHARED}{self._share.bucket}"
        bitmaps = {
            state: bitmap_of(offsets, fragment.first) for state, offsets in self._ends.items()
        }
        outcomes = Outcomes(
            fragment=fragment,
            domain=self._domain.name,
            stamp=outcome_stamp(fragment),
            decisions=self._decisions(verdicts),
            states=[
                StateRow(self._states[name].stripe, name, blob, stamp)
                for name, blob, stamp in self._blobs()
            ],
            aside=self._aside,
            ledger=LedgerRow(
                fragment,
                part,
                bitmaps,
                age_of((timestamp for _, timestamp, _ in self._parsed.events), now),
            ),
            replayed=self._replayed,
            timestamps=[timestamp for _, timestamp, *_ in self._scored],
            degraded=sum(verdict.degraded for verdict in verdicts),
            noted=dict(self._noted),
            fired=dict(Counter(why.code for verdict in verdicts for why in verdict.reasons)),
        )
        self._watch.lap("encode")
        return outcomes

    @cached_property
    def _versions(self) -> tuple[str, str]:
        """Feature set and rules, where a verdict names no others."""
        return self._domain.feature_set, self._domain.rules_version

    @cached_property
    def _model(self) -> str:
        """Likewise: of what gave the scores of this batch, so asked when it has."""
        return self._domain.model_version

    def _take_all(self) -> None:
        """All records, one by one; their features together where the domain does so."""
        waiting: list[tuple[S, E]] = []
        if self._advance_all is not None:
            self._advance = _kept_in(waiting)
        for position, (offset, timestamp, event) in enumerate(self._parsed.events):
            self._accounts = position not in self._secondary
            self._take(offset, timestamp, event)
        if self._advance_all is not None and waiting:
            made = self._advance_all(*zip(*waiting, strict=True))
            self._features, self.carries = map(list, zip(*made, strict=True))

    def _blobs(self) -> Iterable[tuple[str, bytes, int]]:
        """The states that were touched, and their stamps."""
        if self._held is not None:
            return self._held.states()
        encode = self._codec.encode
        return ((name, encode(one), one.stamp) for name, one in self._touched.items())

    def _take_at_once(self) -> bool:
        """All records as `_take` does, by the compiled core; False where there is none, or where it
        finds something that it leaves to `_take`: then nothing is done."""
        fragment, compiled, tell = self._fragment, self.compiled, self.tell
        if compiled is None or self._share is not None or self._broken:
            return False
        taken = compiled.take(
            self._parsed.events, self._states, tell, fragment.partition, fragment.epoch,
            list(fragment.believed),
        )  # fmt: skip
        if taken is None:
            return False
        ends, misplaced, newest, self._features, self.carries, states, given_up = taken
        self._held = _Written(states) if self._settle is None else states
        events = self._parsed.events
        if ends and ends.count(_SCORED) == len(ends):
            told = zip(events, misplaced, strict=True)
            self._scored = [(*record, is_misplaced, None) for record, is_misplaced in told]
            self._ends[EndState.SCORED] = [offset for offset, _, _ in events]
        else:
            self._end_each(ends, iter(misplaced), iter(newest))
        if given_up:
            self._noted[IDS_FORGOTTEN] += given_up
        return True

    def _end_each(self, ends: bytes, misplaced: Iterator[bool], newest: Iterator[int]) -> None:
        """Of a batch that the compiled core took."""
        for end, (offset, timestamp, event) in zip(ends, self._parsed.events, strict=True):
            if end == _SCORED:
                self._scored.append((offset, timestamp, event, next(misplaced), None))
                self._end(EndState.SCORED, offset)
            elif end == _REPLAYED:
                self._replay(event)
            else:
                self._leave(_LEFT[end], offset, timestamp, event, next(newest))

    def find_broken(self) -> dict[tuple[int, str], _Broken]:
        """Which records raise, each tried alone after those before it."""
        found: dict[tuple[int, str], _Broken] = {}
        self._broken = found
        for offset, timestamp, event in self._parsed.events:
            name = event.entity
            before = self._codec.encode(self._copies[name]) if name in self._copies else None
            scored = len(self._scored)
            try:
                self._take(offset, timestamp, event)
                if len(self._scored) > scored:
                    (verdict,) = self._verdicts(scored)
                    self._decision(*self._scored[-1], self._features[-1], verdict)
                self._codec.encode(self._copies[name])
            except FatalError:
                raise
            except Exception as error:  # whatever a domain's code raises: kept with its traceback
                found[offset, name] = _Broken(type(error).__name__, trace())
                del self._scored[scored:], self._features[scored:], self.carries[scored:]
                self._learned.discard(scored)
                self._copies.pop(name, None)
                if before is not None:
                    self._copies[name] = self._codec.decode(before, name)
                self._take(offset, timestamp, event)
        return found

    def _verdicts(self, first: int = 0) -> list[Verdict]:
        """Of what was scored, from the `first` on, with the domain's last word on each."""
        verdicts = self._decided(first)
        if self._held is not None:
            return self._held.settled([event for _, _, event, *_ in self._scored], verdicts)
        settle = self._settle
        if settle is None:
            return verdicts
        return [
            verdict if first + nth in self._learned
            else settle(self._copies[event.entity].body, event, verdict)
            for nth, (verdict, (_, _, event, *_)) in enumerate(
                zip(verdicts, self._scored[first:], strict=True)
            )
        ]  # fmt: skip

    def _decided(self, first: int) -> list[Verdict]:
        """Of what was scored, from the `first` on: the domain's, but for what is learned only."""
        if not self._learned:
            events = [event for _, _, event, *_ in self._scored[first:]]
            if not events:
                return []
            return self._domain.decide(events, self._features[first:], self.carries[first:])
        all_of_them = range(first, len(self._scored))
        judged = [at for at in all_of_them if at not in self._learned]
        if not judged:
            return [_NOT_JUDGED for _ in all_of_them]
        found = self._domain.decide(
            [self._scored[at][2] for at in judged],
            [self._features[at] for at in judged],
            [self.carries[at] for at in judged],
        )
        by_place = dict(zip(judged, found, strict=True))
        return [by_place.get(at, _NOT_JUDGED) for at in all_of_them]

    def _take(self, offset: int, timestamp: int, event: E) -> None:
        """One record: its end state, and what its entity's copy learns."""
        fragment, policy = self._fragment, self._policy
        name = event.entity
        copy = self._copies.get(name)
        if copy is None:
            copy = self._copies[name] = self._open(name)
        marks, partition, epoch = copy.marks, fragment.partition, fragment.epoch
        misplaced = False
        if not known.is_next(marks, partition, epoch, offset):
            if known.is_decided(marks, partition, epoch, offset, fragment.believed):
                self._replay(event)
                return
            misplaced = self._share is None and known.is_misplaced(marks, partition, epoch)
        is_beside = self._may_be_beside and event.is_beside  # type: ignore[attr-defined]
        after = known.marks_of_others(marks, epoch) if is_beside else None
        known.advance_marks(marks, partition, epoch, offset)
        # After a repartition the fence orders writes alone: its stamps lie above all of these.
        stamp, least = (0 if self._share else state_stamp(epoch, offset)), copy.stamp + 1
        copy.stamp = stamp if stamp > least else least
        self._touched[name] = copy
        if self._broken and (offset, name) in self._broken:
            broken = self._broken[offset, name]
            self._set_aside(offset, timestamp, event, EndState.DEAD_LETTERED, *broken)
            return
        digest, checksum = known.digest_of(event.id), known.checksum_of(event)
        time, newest = event.time, copy.newest
        seconds = time // 1000
        oldest = (newest - policy.horizon_ms) // 1000
        found = known.find_id(copy.ids, digest)
        # Of the same time it is known as long as it is not late: decided again, it would get the
        # row that the first one has.
        if found is not None and (is_beside or found[1] >= oldest or found[1] == seconds):
            left = "duplicate" if found[0] == checksum else "conflict"
            self._leave(left, offset, timestamp, event, newest)
            return
        if time < newest - policy.lateness_ms and not is_beside:
            self._leave("late", offset, timestamp, event, newest)
            return
        if seconds < copy.floor and time <= newest and not is_beside:
            self._leave("id_forgotten", offset, timestamp, event, newest)
            return
        features, carry = self._advance(copy.body, event)
        if time > newest and not is_beside:
            copy.newest = time
        copy.ids, given_up, floor = known.remember_id(
            copy.ids, digest, checksum, seconds,
            (copy.newest - policy.memory_ms) // 1000, policy.max_ids,
        )  # fmt: skip
        if given_up:
            copy.floor = max(copy.floor, floor)
            self._noted[IDS_FORGOTTEN] += given_up
        if time < policy.live_from_ms or (
            self._may_be_marked and event.learn_only  # type: ignore[attr-defined]
        ):
            self._learned.add(len(self._scored))
        self._scored.append((offset, timestamp, event, misplaced, after))
        self._features.append(features)
        self.carries.append(carry)
        self._end(EndState.SCORED, offset)

    def _replay(self, event: E) -> None:
        name = event.entity
        key = DecisionKey(self._states[name].stripe, name, event.time, event.id)
        self._replayed.append(key)

    def _leave(self, code: str, offset: int, timestamp: int, event: E, newest: int) -> None:
        """What is neither decided nor learned, and why."""
        name, policy, state = event.entity, self._policy, EndState.LATE
        if code == "duplicate":
            self._end(EndState.DUPLICATE, offset)
            return
        if code == "conflict":
            state = EndState.CONFLICT
            why = f"id {event.id!r} was decided before with another content: the first stands"
        elif code == "late":
            why = (
                f"{(newest - event.time) / 1000:.0f} s older than the newest event of "
                f"{name!r}; allowed are {policy.lateness_ms / 1000:.0f} s"
            )
        else:
            why = (
                f"{name!r} had more than {policy.max_ids} events since then, whose ids fill its "
                f"memory: whether {event.id!r} was decided before is not known. Raise "
                "dedup.max_ids."
            )
        self._set_aside(offset, timestamp, event, state, code, why)

    def _end(self, state: EndState, offset: int) -> None:
        """For the ledger; of an offset that another writer accounts for nothing is said."""
        if self._accounts:
            self._ends.setdefault(state, []).append(offset)

    def _open(self, name: str) -> Envelope[S]:
        entry = self._states[name]
        if not entry.blob:
            return Envelope(known.VERSION, entry.floor, [], 0, b"", self._domain.new_state())
        envelope = self._codec.decode(entry.blob, name)
        if entry.floor:
            # Written again also where all is decided: this batch is acked for what this state
            # says, and a write that was not confirmed, of a state without it, may still land.
            envelope.stamp = max(envelope.stamp, entry.floor + 1)
            self._touched[name] = envelope
        return envelope

    def _set_aside(
        self, offset: int, timestamp: int, event: E, state: EndState, code: str, reason: str
    ) -> None:
        self._end(state, offset)
        raw = raw_of(self._domain.to_wire, event)
        row = SetAside(
            offset, timestamp, state, code, reason, self._component, event.entity.encode(), raw
        )
        self._aside.append(redacted(row, self._policy.max_bytes, self._policy.masked))

    def _decisions(self, verdicts: list[Verdict]) -> list[DecisionRow]:
        told = zip(self._scored, self._features, verdicts, strict=True)
        if self.compiled is None or self._held is None or not self._scored:
            return [self._decision(*scored, row, verdict) for scored, row, verdict in told]
        (feature_set, rules), fragment = self._versions, self._fragment
        common = {
            "feature_set": feature_set, "model": self._model, "rules": rules,
            "topic": fragment.topic, "partition": fragment.partition,
        }  # fmt: skip
        before = _json(common)[1:-1] + b',"offset":'
        after = b"" if self._mapping is msgspec.UNSET else b',"mapping":' + _json(self._mapping)
        made = self.compiled.decisions(
            self._scored, self._features, verdicts, self._states, before, after
        )
        return [
            self._decision(*scored, row, verdict) if decision is None else decision
            for decision, (scored, row, verdict) in zip(made, told, strict=True)
        ]

    def _decision(
        self,
        offset: int,
        timestamp: int,
        event: E,
        misplaced: bool,
        after: _After,
        features: tuple[float, ...],
        verdict: Verdict,
    ) -> DecisionRow:
        domain, fragment, name = self._domain, self._fragment, event.entity
        alert = verdict.outcome in domain.alert_outcomes if verdict.alert is None else verdict.alert
        reasons, explanations = verdict.reasons, verdict.explanations
        if alert and verdict.why is not None:
            first, explanations = verdict.why()
            reasons = (*first, *reasons)
        if verdict.by is not None:
            feature_set, model, rules = verdict.by
        else:
            feature_set, rules = self._versions
            model = NONE if verdict.degraded else self._model
        body = _json(
            Decision(
                event.id,
                name,
                event.time,
                verdict.outcome,
                verdict.score,
                reasons,
                features,
                feature_set,
                model,
                rules,
                fragment.topic,
                fragment.partition,
                offset,
                timestamp,
                misplaced,
                True if verdict.degraded else msgspec.UNSET,
                self._mapping,
                after=msgspec.UNSET if after is None else after,
                learned=verdict.learned or msgspec.UNSET,
                interval=verdict.interval or msgspec.UNSET,
                shadow=verdict.shadow or msgspec.UNSET,
                explanations=explanations or msgspec.UNSET,
                rates=verdict.rates or msgspec.UNSET,
            )
        )
        if len(body) > BODY_MAX:
            raise ValueError(f"its decision takes {len(body)} bytes, more than {BODY_MAX}")
        return DecisionRow(
            self._states[name].stripe, name, event.time, event.id, verdict.outcome,
            verdict.score, body, timestamp, alert,
        )  # fmt: skip


def _kept_in(waiting: list[tuple[S, E]]) -> Callable[[S, E], Advanced]:
    """In place of a domain's `advance`, where all of a batch are advanced once all are taken."""

    def keep(state: S, event: E) -> Advanced:
        waiting.append((state, event))
        return (), None

    return keep
