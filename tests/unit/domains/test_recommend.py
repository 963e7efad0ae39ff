"""Recommendations' core: users' histories, items' neighbours, lists, the wire format."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.recommend.event import Behaviour
from stormwatch.domains.recommend.history import OWNED, RECENT, UserState, digest_of, owns, remember
from stormwatch.domains.recommend.items import asks, everyone
from stormwatch.domains.recommend.neighbours import HALF_LIFE, Answer, ItemState, best, learn
from stormwatch.domains.recommend.parse import parse, to_wire
from stormwatch.domains.recommend.ranking import ASKED, TOP, rank
from stormwatch.records import Rejection

T = 1_700_000_000_000
ITEMS = st.sampled_from([f"I{n}" for n in range(30)])
BEHAVIOURS = st.builds(
    lambda kind, item, stars, time: Behaviour("1", "u", time, kind, item, stars * (kind == "rate")),
    st.sampled_from(["view", "view", "buy", "rate"]), ITEMS, st.integers(1, 5),
    st.integers(T, T + 40 * 86_400_000),
)  # fmt: skip
HISTORIES = st.lists(BEHAVIOURS, min_size=1, max_size=40)


def through(state):
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))


def event(item, kind="view", rating=0, time=T):
    return Behaviour("1", "u", time, kind, item, rating)


# -- what is remembered of a user


@given(HISTORIES, st.data())
def test_a_history_goes_through_its_blob_at_any_point(history, data):
    state, stored = UserState(), UserState()
    for one in history:
        if data.draw(st.booleans()):
            stored = through(stored)
        assert remember(state, one) == remember(stored, one)
    assert through(stored) == state


@given(HISTORIES)
def test_a_history_holds_the_last_items_once_and_all_that_is_owned(history):
    state = UserState()
    for one in history:
        plan = remember(state, one)
    order = list(dict.fromkeys(one.item for one in reversed(history)))[:RECENT]
    assert [touch.item for touch in reversed(plan.recent)] == order
    owned = {one.item for one in history if one.kind != "view"}
    assert {f"I{n}" for n in range(30) if owns(plan.owned, digest_of(f"I{n}"))} == owned


def test_what_is_owned_is_bounded_and_the_oldest_forgotten():
    state = UserState()
    for n in range(OWNED + 5):
        plan = remember(state, event(f"I{n}", "buy"))
    assert len(plan.owned) == OWNED * 6
    assert not owns(plan.owned, digest_of("I4"))
    assert owns(plan.owned, digest_of("I5"))


def test_a_digest_across_two_others_is_not_owned():
    one, other = digest_of("a"), digest_of("b")
    assert not owns(one + other, one[3:] + other[:3])


def test_a_purchase_outweighs_the_view_after_it():
    state = UserState()
    remember(state, event("a", "buy"))
    (touch,) = remember(state, event("a", time=T + 5)).recent
    assert (touch.kind, touch.strength, touch.time) == ("buy", 4, T + 5)


@given(HISTORIES)
def test_each_item_is_asked_once_and_pairs_count_both_ways(history):
    state = UserState()
    for one in history:
        plan = remember(state, one)
    found = asks(plan, 3, 7)
    names = [ask.name for ask in found]
    assert names[0] == everyone(3) and len(set(names)) == len(names) <= ASKED + 1
    own = found[1]
    assert own.name == history[-1].item
    back = {ask.name: dict(ask.learned).get(own.name) for ask in found[2:]}
    assert {name: weight for name, weight in back.items() if weight} == dict(own.learned)


# -- what is remembered of an item

LESSONS = st.lists(
    st.tuples(ITEMS, st.integers(1, 500), st.integers(0, 6 * HALF_LIFE)), max_size=60
)


@given(LESSONS, st.data())
def test_neighbours_go_through_their_blob_at_any_point(lessons, data):
    state, stored = ItemState(), ItemState()
    for name, weight, time in lessons:
        if data.draw(st.booleans()):
            stored = through(stored)
        learn(state, name, weight, T + time, size=8)
        learn(stored, name, weight, T + time, size=8)
    assert through(stored) == state
    assert len(state.names) <= 8


@given(st.lists(st.tuples(ITEMS, st.integers(1, 500)), max_size=60))
def test_within_the_bound_counts_are_exact_and_their_order_is_no_matter(lessons):
    state, turned = ItemState(), ItemState()
    for name, weight in lessons:
        learn(state, name, weight, T)
    for name, weight in reversed(lessons):
        learn(turned, name, weight, T)
    assert best(state, 99) == best(turned, 99)
    brute = Counter()
    for name, weight in lessons:
        brute[name] += weight
    answer = best(state, 99)
    scale = answer.total / max(1, brute.total())
    assert dict(answer.best) == {n: pytest.approx(c * scale) for n, c in brute.items()}


@given(st.lists(st.tuples(ITEMS, st.integers(1, 500)), max_size=80))
def test_over_the_bound_no_more_is_told_than_is_true(lessons):
    """Space Saving's promise: count - error <= truth <= count; what is heavy is there."""
    state, exact = ItemState(), ItemState()
    for name, weight in lessons:
        learn(state, name, weight, T, size=6)
        learn(exact, name, weight, T, size=99)
    truth = dict(zip(exact.names, exact.counts, strict=True))
    assert state.total == exact.total == sum(state.counts)
    for name, count, error in zip(state.names, state.counts, state.errors, strict=True):
        assert count - error <= truth[name] <= count
    assert {n for n, c in truth.items() if c > exact.total / 6} <= set(state.names)


def test_a_weight_is_worth_half_after_a_half_life_and_nothing_after_many():
    state = ItemState()
    start = T - T % HALF_LIFE
    learn(state, "a", 100, start)
    before = state.counts[0]
    learn(state, "b", 100, start + HALF_LIFE)
    (b, heavy), (a, light) = best(state, 2).best
    assert (b, a) == ("b", "a") and heavy == before and light == before // 2
    learn(state, "c", 1, start + 40 * HALF_LIFE)
    assert state.names == ["c"]
    learn(state, "late", 100, start)  # far too old to count
    assert state.names == ["c"]


# -- the list


def shown(plan, answers, popular=()):
    return rank(plan, answers, Answer(1, [(name, 1) for name in popular]))


@given(
    HISTORIES,
    st.dictionaries(ITEMS, st.dictionaries(ITEMS, st.integers(1, 99), max_size=25), max_size=12),
    st.lists(ITEMS, unique=True),
)
def test_a_list_has_each_item_once_and_none_that_is_owned_or_just_seen(history, tables, popular):
    state = UserState()
    for one in history:
        plan = remember(state, one)
    answers = {
        name: Answer(max(1, sum(table.values())), sorted(table.items()))
        for name, table in tables.items()
    }
    verdict = shown(plan, answers, popular)
    items = [reason.code for reason in verdict.reasons]
    assert len(items) == len(set(items)) <= TOP
    assert not set(items) & {one.item for one in history if one.kind != "view"}
    assert not set(items) & {touch.item for touch in plan.recent}
    weights = [reason.weight for reason in verdict.reasons]
    assert weights == sorted(weights, reverse=True)
    assert verdict.score == (weights[0] if weights else 0)


def test_the_reason_names_what_speaks_most_for_it():
    state = UserState()
    remember(state, event("tent", "buy"))
    plan = remember(state, event("lamp"))
    answers = {"tent": Answer(10, [("stove", 9)]), "lamp": Answer(10, [("stove", 1), ("bulb", 5)])}
    verdict = shown(plan, answers, ["rope", "tent"])
    assert verdict.outcome == "recommended"
    assert [(r.code, r.text) for r in verdict.reasons] == [
        ("stove", "because you bought tent"),
        ("bulb", "because you viewed lamp"),
        ("rope", "popular now"),
    ]


def test_without_neighbours_the_list_is_what_is_popular():
    verdict = shown(remember(UserState(), event("a")), {}, ["a", "b", "c"])
    assert verdict.outcome == "popular"
    assert [reason.code for reason in verdict.reasons] == ["b", "c"]


# -- the wire format


@given(BEHAVIOURS)
def test_an_event_goes_through_its_record(one):
    assert parse(to_wire(one), one.time, future_skew_ms=0) == one


GOOD = b'{"id":"1","user":"u","time":"2023-01-01T00:00:00Z","action":"view","item":"i"}'


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"view"', b'"steal"', "wrong_type"),
        (b'"view"', b'"rate"', "missing_field"),
        (b'"view"', b'"buy","rating":3', "out_of_range"),
        (b'"view"', b'"rate","rating":6', "out_of_range"),
        (b'"item":"i"', b'"item":" i"', "bad_text"),
        (b'"item":"i"', b'"item":""', "out_of_range"),
        (b'"user":"u",', b"", "missing_field"),
        (b'"user":"u"', b'"user":"u","user":"v"', "duplicate_key"),
        (b'"item":"i"', b'"item":"i","type":"reading"', "unknown_type"),
        (b"2023", b"2033", "too_far_in_future"),
    ],
)
def test_what_is_no_behaviour_is_refused_with_its_code(old, new, code):
    assert not isinstance(parse(GOOD, T * 2, future_skew_ms=0), Rejection)
    found = parse(GOOD.replace(old, new), T, future_skew_ms=0)
    assert isinstance(found, Rejection) and found.code == code, found
