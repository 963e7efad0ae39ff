"""Score and store in miniature: a spout, a process and a store that a fault stands in front of."""

import json
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import strategies as st
from msgspec.structs import replace

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.errors import BrokerUnavailable, InfrastructureError, StoreUnavailable
from stormwatch.ledger.bitmap import offsets
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, Outcomes
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from tests.models.toy import Ping, Toy

TOPIC = "pings"

POLICY = Policy(lateness_ms=20_000, horizon_ms=20_000, max_ids=4)


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Fault:
    """Strikes once, at a named point, after `rows` rows of it were written; `crash` kills."""

    point: str
    rows: int
    crash: bool
    spent: bool = False

    def strike(self, point: str) -> bool:
        if self.point != point or self.spent:
            return False
        self.spent = True
        return True

    def error(self, kind: type[InfrastructureError]) -> BaseException:
        return Crash() if self.crash else kind("planted")


@dataclass
class FaultyPorts:
    """A store and a sink that the fault stands in front of."""

    store: MemoryStore
    published: list[tuple[str, bytes]] = field(default_factory=list)
    pending: list[tuple[str, bytes]] = field(default_factory=list)
    fault: Fault | None = None

    def load_states(self, domain, entities):
        if self.fault and self.fault.strike("load"):
            raise self.fault.error(StoreUnavailable)
        return self.store.load_states(domain, entities)

    def next_term(self, domain):
        return self.store.next_term(domain)

    def write_outcomes(self, *batches):
        if self.fault and self.fault.strike("decisions"):
            for outcomes in batches:
                rows = outcomes.decisions[: self.fault.rows]
                ledger = (
                    outcomes.ledger if self.fault.rows % 2 else replace(outcomes.ledger, bitmaps={})
                )
                self.store.write_outcomes(replace(outcomes, decisions=rows, ledger=ledger))
            raise self.fault.error(StoreUnavailable)
        self.store.write_outcomes(*batches)

    def write_states(self, domain, rows):
        if self.fault and self.fault.strike("states"):
            self.store.write_states(domain, rows[: self.fault.rows])
            raise self.fault.error(StoreUnavailable)
        self.store.write_states(domain, rows)

    def find_decisions(self, domain, keys):
        return self.store.find_decisions(domain, keys)

    def send(self, topic, key, value):
        self.pending.append((topic, value))

    def flush(self, timeout):
        sent, self.pending = self.pending, []
        if self.fault and self.fault.strike("flush"):
            self.published += sent[: self.fault.rows]
            raise self.fault.error(BrokerUnavailable)
        self.published += sent


class Process:
    """Score and store, chained or spread: a fresh cache, as after a start."""

    def __init__(
        self,
        outside: FaultyPorts,
        spread: bool,
        cache_bytes: int = 1 << 20,
        policy: Policy = POLICY,
    ) -> None:
        contract = Contract(Toy(), policy, "toy")
        self._spread = spread
        self.score = ScoreStep(
            lambda: contract,
            StateCache(cache_bytes),
            lambda name: stripe_of(name, 8),
            lambda: outside,
            lambda: 0,
        )
        self.store = StoreStep(
            lambda: outside,
            lambda: outside,
            Topics("alerts", "aside"),
            1.0,
            lambda _: None,
        )

    def take(self, fragment: Fragment, batch) -> None:
        outcomes = self.decide(fragment, batch)
        if self._spread:  # the store is another process; this one learns by what comes next
            self.score.finish(fragment, Outcome.HANDED_ON)
            self.store.work_all([(fragment, outcomes)])
            return
        outcome = Outcome.FAILED
        try:
            self.store.work_all([(fragment, outcomes)])
            outcome = Outcome.DONE
        finally:
            self.score.finish(fragment, outcome)

    def decide(self, fragment: Fragment, batch) -> Outcomes:
        try:
            return self.score.work(fragment, Parsed([(o, 1000 + o, e) for o, e in batch], [], []))
        except InfrastructureError:
            self.score.finish(fragment, Outcome.FAILED)
            raise


def play(log, cuts, faults, spread, zombies=(), cache_bytes=1 << 20, now=lambda: 0):
    """Run the whole log through; returns (store, published)."""
    outside = FaultyPorts(MemoryStore(now=now))
    process, generation, attempt, position, asleep = (
        Process(outside, spread, cache_bytes),
        1,
        0,
        0,
        [],
    )
    cuts, faults, zombies = iter(cuts), iter(faults), iter(zombies)
    size, tried = next(cuts, 3), -1
    while position < len(log):
        batch = list(enumerate(log))[position : position + size]
        fragment = Fragment(TOPIC, 0, 33, batch[0][0], batch[-1][0], generation, attempt)
        tried = max(tried, fragment.last)
        outside.fault = next(faults, None)
        if next(zombies, False):  # another process decided this, then was paused before writing
            twin = Process(outside, spread, cache_bytes)
            with suppress(InfrastructureError, Crash):
                asleep.append((fragment, twin.decide(fragment, batch), twin))
            attempt += 1
            fragment = replace(fragment, attempt=attempt)
        try:
            process.take(fragment, batch)
        except InfrastructureError:
            attempt += 1
            size = size if attempt < 2 else max(1, size // 4)  # as the spout's batch limit does
            continue
        except Crash:
            process, generation, attempt = Process(outside, spread, cache_bytes), generation + 1, 0
            size = next(cuts, 3)
            continue
        position, size = batch[-1][0] + 1, next(cuts, 3)
        # What a batch limit cut off was tried already: later tries at it stand above those.
        attempt = attempt if position <= tried else 0
        if asleep and position % 3 == 0:
            old, outcomes, twin = asleep.pop(0)
            outside.fault = None
            twin.store.work_all([(old, outcomes)])  # the zombie wakes
    return outside


events = st.builds(
    Ping,
    id=st.integers(0, 12).map(str),
    name=st.sampled_from(["ann", "bob", "cy"]),
    time=st.integers(0, 60).map(lambda s: s * 1000),
    value=st.sampled_from([1, 1, 2, 50, 66, 77, 200]),
)

logs = st.lists(events, min_size=1, max_size=30)

cuts = st.lists(st.integers(1, 9), max_size=30)

fault = st.builds(
    Fault,
    point=st.sampled_from(["load", "decisions", "flush", "states"]),
    rows=st.integers(0, 6),
    crash=st.booleans(),
)

faults = st.lists(st.one_of(st.none(), fault), max_size=40)


def table(outside, name):
    """key -> column -> value, without write timestamps."""
    rows = outside.store.tables.get(name, {})
    return {key: {c: value for c, (_, value) in row.items()} for key, row in rows.items()}


def tables(outside):
    return table(outside, "decisions"), table(outside, "states")


def end_states(outside):
    """offset -> set of states, from every ledger row."""
    ends: dict[int, set[str]] = {}
    for row in outside.store.ledger(TOPIC, 0, 33, 0, 1 << 20):
        for state, bits in row.bitmaps.items():
            for offset in offsets(bits, row.fragment.first):
                ends.setdefault(offset, set()).add(state)
    return ends


def told(outside):
    """What the topics hold, without repeats; a traceback's line numbers are no content."""
    return {
        (topic, *(letter[k] for k in ("offset", "state", "code", "raw")))
        if topic == "aside"
        else (topic, value)
        for topic, value in outside.published
        for letter in [json.loads(value)]
    }


def assert_same(outside, oracle, log):
    assert tables(outside) == tables(oracle)
    ends = end_states(outside)
    assert ends == end_states(oracle)
    assert set(ends) == set(range(len(log)))
    assert all(len(states) == 1 for states in ends.values())
    assert told(outside) == told(oracle)
