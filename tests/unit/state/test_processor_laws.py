"""The laws of DESIGN: whatever the batches, crashes, retries and zombies, the tables are the same.

A spout, a process and a Cassandra are played in miniature. A fault strikes between any two of the
five steps (load, decide, write decisions, write states, publish) or in the midst of a write.
"""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.state.envelope import EnvelopeCodec
from tests.models.steps import assert_same, cuts, end_states, faults, logs, play, table
from tests.models.toy import Ping, Sums, Toy


@given(logs, cuts, st.booleans())
def test_a_batch_cut_anywhere_gives_the_same_tables(log, cuts, spread):
    assert_same(play(log, cuts, (), spread), play(log, [len(log)], (), False), log)


@settings(max_examples=300)
@given(logs, cuts, faults, st.booleans(), st.sampled_from([1 << 20, 500]))
def test_a_fault_between_any_two_steps_changes_nothing(log, cuts, faults, spread, cache_bytes):
    outside = play(log, cuts, faults, spread, cache_bytes=cache_bytes)
    assert_same(outside, play(log, [len(log)], (), False), log)


@settings(max_examples=300)
@given(logs, cuts, faults, st.lists(st.booleans(), max_size=20), st.booleans())
def test_a_zombie_that_wakes_late_changes_nothing(log, cuts, faults, zombies, spread):
    """Not even where what it writes expires later, as it does when it writes in a later second:
    at an equal timestamp later expiry wins, but there the bytes are equal, too."""
    for now in (lambda: 0, count().__next__):
        outside = play(log, cuts, faults, spread, zombies, now=now)
        assert_same(outside, play(log, [len(log)], (), False), log)


@given(logs)
def test_states_hold_what_one_pass_in_order_gives(log):
    """The oracle itself, checked by a few lines that know nothing of batches or blobs."""
    outside = play(log, [len(log)], (), False)
    toy, states, newest, ids, decided, floors = Toy(), {}, {}, {}, {}, {}
    for ping in log:
        name = ping.name
        known = ids.setdefault(name, [])
        top = newest.get(name, 0)
        at = ping.time // 1000
        if any(i == ping.id and (t >= (top - 20_000) // 1000 or t == at) for i, t in known):
            continue
        if ping.time < top - 20_000 or ping.value in (66, 77):
            continue
        if at <= floors.get(name, -1) and ping.time <= top:
            continue  # decided before, or not: its id would be forgotten by now
        features, carry = toy.advance(states.setdefault(name, Sums()), ping)
        newest[name] = max(top, ping.time)
        known[:] = [(i, t) for i, t in known if t >= (newest[name] - 20_000) // 1000]
        known.append((ping.id, at))
        known.sort(key=lambda one: one[1])
        if len(known) > 4:
            floors[name] = max(floors.get(name, -1), known.pop(0)[1])
        decided[name, ping.time, ping.id] = toy.decide([ping], [features], [carry])[0].score
    codec = EnvelopeCodec(Sums)
    stored = {k[-1]: codec.decode(r["state"], k[-1]) for k, r in table(outside, "states").items()}
    assert {n: e.body for n, e in stored.items() if e.body.count} == states
    scores = {key[-3:]: row["score"] for key, row in table(outside, "decisions").items()}
    assert scores == decided


def test_a_record_that_raises_is_set_aside_alone_with_its_traceback():
    log = [Ping("1", "ann", 1000, 2), Ping("2", "ann", 2000, 66), Ping("3", "ann", 3000, 77)]
    outside = play(log, [3], (), False)
    assert end_states(outside) == {0: {"scored"}, 1: {"dead_lettered"}, 2: {"dead_lettered"}}
    asides = {key[-1]: row["row"] for key, row in table(outside, "dead_letters").items()}
    assert "66 cannot be learned" in asides[1].reason and "Traceback" in asides[1].reason
    assert asides[2].code == "ArithmeticError"


@pytest.mark.parametrize(("other", "state"), [(2, "duplicate"), (3, "conflict")])
def test_the_first_with_an_id_stands(other, state):
    log = [Ping("1", "ann", 1000, 2), Ping("1", "ann", 1000, other)]
    outside = play(log, [1, 1], (), False)
    assert end_states(outside) == {0: {"scored"}, 1: {state}}
    assert len(table(outside, "decisions")) == 1
