"""Write timestamps: their order is the order of what may overwrite what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.errors import StateError, TopicError
from stormwatch.records import Fragment
from stormwatch.state.write_timestamps import Fence, epoch_of, outcome_stamp, state_stamp

EPOCHS = st.integers(0, (1 << 14) - 1)
TRIES = st.tuples(EPOCHS, st.integers(0, (1 << 24) - 1), st.integers(0, (1 << 12) - 1))
MARKS = st.tuples(EPOCHS, st.integers(0, (1 << 36) - 2))
WALL_CLOCK_2020 = 1_577_836_800_000_000


def of(epoch: int, generation: int, attempt: int) -> int:
    return outcome_stamp(Fragment("t", 0, epoch, 0, 0, generation, attempt))


@given(TRIES, TRIES)
def test_outcome_stamps_are_ordered_as_tries(one, other):
    assert (of(*one) < of(*other)) == (one < other)
    assert 0 <= of(*one) < 1 << 50 < WALL_CLOCK_2020


@given(MARKS, MARKS)
def test_state_stamps_are_ordered_as_marks(one, other):
    assert (state_stamp(*one) < state_stamp(*other)) == (one < other)
    assert 0 < state_stamp(*one) < 1 << 50 < WALL_CLOCK_2020


@given(EPOCHS, st.integers(0, 1 << 30), st.integers(0, 1 << 20))
def test_outcome_stamps_never_fall_nor_leave_their_epoch(epoch, generation, attempt):
    stamp = of(epoch, generation, attempt)
    assert stamp <= of(epoch, generation, attempt + 1)
    assert stamp <= of(epoch, generation + 1, attempt)
    assert stamp >> 36 == epoch_of(stamp) == epoch


@pytest.mark.parametrize(("epoch", "offset"), [(1 << 14, 0), (-1, 0), (0, -1), (0, (1 << 36) - 1)])
def test_what_cannot_be_ordered_is_refused(epoch, offset):
    with pytest.raises(TopicError, match="cannot be ordered"):
        state_stamp(epoch, offset)


TERMS, WRITES = 1 << 21, 1 << 28


@given(st.integers(0, TERMS - 2), st.lists(st.integers(1, 1000), min_size=1), st.integers(1, 99))
def test_a_later_terms_stamps_are_above_all_of_an_earlier_one(term, counts, leap):
    older, newer = Fence(term), Fence(min(term + leap, TERMS - 1))
    taken = [(older.take(count), count) for count in counts if older.has(count)]
    ends = [floor + count for floor, count in taken]
    assert all(end <= floor for end, (floor, _) in zip(ends, taken[1:], strict=False))
    assert state_stamp((1 << 13) - 1, (1 << 36) - 2) <= taken[0][0]
    assert max(ends) < newer.take(1) < 1 << 50


def test_a_term_is_left_before_its_last_stamp_is_taken():
    fence = Fence(7)
    assert fence.has(WRITES - 1) and not fence.has(WRITES)
    fence.take(WRITES - 2)
    assert fence.has(1) and not fence.has(2)
    assert not Fence().has(0)


def test_a_term_that_cannot_be_ordered_is_refused():
    with pytest.raises(StateError, match="cannot be ordered"):
        Fence(TERMS)
