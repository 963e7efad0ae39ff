"""A tree is done exactly when its last tuple is acked, in whatever order acks come."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from stormwatch.runner.acker import Acker


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_done_with_the_last_ack(seed: int, size: int) -> None:
    random = Random(seed)
    acker = Acker(random)
    root = acker.new_id()
    waiting = [acker.new_id() for _ in range(random.randint(1, 3))]  # edges not acked yet
    value = 0
    for edge in waiting:
        value ^= edge
    assert acker.begin(root, value, 1, "m", 0.0) is None
    while waiting:
        edge = waiting.pop(random.randrange(len(waiting)))
        emitted = 0
        for _ in range(random.randint(0, 2) if size > 0 else 0):
            size -= 1
            child = acker.new_id()
            emitted ^= child
            waiting.append(child)
        done = acker.ack(root, edge ^ emitted)
        assert (done is not None) is (not waiting)
    assert acker.pending() == 0
    assert acker.ack(root, 5) is None and acker.fail(root) is None, "later news is ignored"


def test_what_lived_through_two_rotations_times_out() -> None:
    acker = Acker(Random(1))
    acker.begin(1, 7, 1, "a", 0.0)
    assert acker.rotate() == []
    acker.begin(2, 7, 1, "b", 0.0)
    assert [tree.id for tree in acker.rotate()] == ["a"]
    assert [tree.id for tree in acker.rotate()] == ["b"]
    assert acker.pending() == 0


def test_a_tuple_that_nobody_reads_is_done_at_once() -> None:
    done = Acker(Random(1)).begin(1, 0, 3, "a", 0.0)
    assert done is not None and done.task == 3
