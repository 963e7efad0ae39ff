"""The round keeps the laws: whatever the batches, faults and crashes, each event counts once.

The whole topology in miniature: plan, two shards of items, store. A fault strikes at any of its
reads and writes, in a shard or at the end.
"""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.domains.recommend.domain import NAME, Recommend
from stormwatch.domains.recommend.event import Behaviour
from stormwatch.domains.recommend.history import UserState, digest_of, owns
from stormwatch.domains.recommend.items import ITEMS, Items, everyone
from stormwatch.domains.recommend.neighbours import ItemState
from stormwatch.domains.recommend.round import asked_of, begin, finish
from stormwatch.errors import InfrastructureError
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from tests.models.steps import Crash, Fault, FaultyPorts, end_states, table

TOPIC = "pings"  # the one that `end_states` asks for
T = 1_700_000_000_000
POLICY = Policy(lateness_ms=20_000, horizon_ms=20_000, max_ids=4)
SHARDS = 2


class Topology:
    """Plan, shards and store with fresh caches, as after a start."""

    def __init__(self, outside: FaultyPorts, cache_bytes: int) -> None:
        def score(contract, hand_on=None):
            cache, stripe = StateCache(cache_bytes), lambda name: stripe_of(name, 8)
            return ScoreStep(lambda: contract, cache, stripe, lambda: outside, lambda: 0, hand_on)

        self.connections = outside
        self.plan = score(Contract(Recommend(), POLICY, "plan"), begin)
        self.items = [score(Items()) for _ in range(SHARDS)]
        self.store = StoreStep(
            lambda: outside, lambda: outside, Topics("alerts", "aside"), 1.0, lambda _: None,
        )  # fmt: skip

    def take(self, fragment: Fragment, batch) -> None:
        outcome = Outcome.FAILED
        try:
            parsed = Parsed([(o, 1000 + o, e) for o, e in batch], [], [])
            whole = self.plan.work(fragment, parsed)
            outcome = Outcome.HANDED_ON
        finally:
            self.plan.finish(fragment, outcome)
        for shard, step in enumerate(self.items):
            outcome = Outcome.FAILED
            try:
                answers = step.work(fragment, asked_of(whole, shard, SHARDS))
                if answers.states:
                    self.connections.write_states(ITEMS, answers.states)
                whole.told += answers.told
                outcome = Outcome.DONE
            finally:
                step.finish(fragment, outcome)
        self.store.work_all([(fragment, finish(whole))])


def play(log, cuts=(), faults=(), cache_bytes=1 << 20):
    outside = FaultyPorts(MemoryStore())
    topology, generation, attempt, position = Topology(outside, cache_bytes), 1, 0, 0
    cuts, faults = iter(cuts), iter(faults)
    size = next(cuts, len(log))
    while position < len(log):
        batch = list(enumerate(log))[position : position + size]
        fragment = Fragment(TOPIC, 0, 33, batch[0][0], batch[-1][0], generation, attempt)
        outside.fault = next(faults, None)
        try:
            topology.take(fragment, batch)
        except InfrastructureError:
            attempt += 1
            continue
        except Crash:
            topology, generation, attempt = Topology(outside, cache_bytes), generation + 1, 0
            size = next(cuts, 3)
            continue
        position, attempt, size = batch[-1][0] + 1, 0, next(cuts, 3)
    return outside


def states(outside):
    """(domain, entity) -> marks and body; stamps rise with the tries and say nothing of content."""
    codecs = {NAME: EnvelopeCodec(UserState), ITEMS: EnvelopeCodec(ItemState)}
    opened = {
        (key[0], key[-1]): codecs[key[0]].decode(row["state"], key[-1])
        for key, row in table(outside, "states").items()
    }
    return {key: (one.marks, one.newest, one.body) for key, one in opened.items()}


events = st.builds(
    lambda ident, user, seconds, kind, item: Behaviour(
        str(ident), user, T + seconds * 1000, kind, item, 5 * (kind == "rate")
    ),
    st.integers(0, 12), st.sampled_from(["ann", "bob", "cy"]), st.integers(0, 60),
    st.sampled_from(["view", "view", "buy", "rate"]), st.sampled_from("abcdefgh"),
)  # fmt: skip
logs = st.lists(events, min_size=1, max_size=30)
cuts = st.lists(st.integers(1, 9), max_size=30)
faults = st.lists(
    st.none()
    | st.builds(
        Fault,
        point=st.sampled_from(["load", "decisions", "states"]),
        rows=st.integers(0, 6),
        crash=st.booleans(),
    ),
    max_size=30,
)
caches = st.sampled_from([1 << 20, 500])


@given(logs, cuts, caches)
def test_a_batch_cut_anywhere_gives_the_same_tables(log, cuts, cache_bytes):
    whole, cut = play(log), play(log, cuts, cache_bytes=cache_bytes)
    assert table(cut, "decisions") == table(whole, "decisions")
    assert states(cut) == states(whole)
    assert end_states(cut) == end_states(whole)


@settings(max_examples=300)
@given(logs, cuts, faults, caches)
def test_whatever_fails_each_event_is_decided_and_counted_once(log, cuts, faults, cache_bytes):
    oracle, outside = play(log), play(log, cuts, faults, cache_bytes)
    assert states(outside) == states(oracle)
    ends = end_states(outside)
    assert ends == end_states(oracle)
    assert set(ends) == set(range(len(log)))
    assert all(len(ended) == 1 for ended in ends.values())
    assert set(table(outside, "decisions")) == set(table(oracle, "decisions"))


@given(logs, cuts, faults)
def test_no_list_shows_what_the_user_owned_by_then(log, cuts, faults):
    outside = play(log, cuts, faults)
    rows = [json.loads(row["body"]) for row in table(outside, "decisions").values()]
    owned: dict[str, bytes] = {}
    for row in sorted(rows, key=lambda row: row["offset"]):
        event = log[row["offset"]]
        if event.kind != "view":
            owned[event.user] = owned.get(event.user, b"") + digest_of(event.item)
        items = [reason["code"] for reason in row["reasons"]]
        assert not any(owns(owned.get(event.user, b""), digest_of(item)) for item in items)
        assert event.item not in items
        assert row["outcome"] in ("recommended", "popular")


@given(logs, cuts, faults)
def test_a_committed_decision_is_not_changed_by_a_replay(log, cuts, faults):
    outside = play(log, cuts, faults)
    before = table(outside, "decisions"), table(outside, "states")
    outside.fault = None
    whole = Fragment(TOPIC, 0, 33, 0, len(log) - 1, 99, 0)
    Topology(outside, 1 << 20).take(whole, list(enumerate(log)))
    assert (table(outside, "decisions"), table(outside, "states")) == before


def test_popularity_is_kept_for_each_partition():
    outside = play([Behaviour(str(n), "ann", T, "view", item) for n, item in enumerate("aab")])
    (_, _, body) = states(outside)[ITEMS, everyone(0)]
    assert dict(zip(body.names, body.counts, strict=True)).keys() == {"a", "b"}
    assert body.counts[0] == 2 * body.counts[1]
