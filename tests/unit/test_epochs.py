"""Epochs: an incarnation and a count of resizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.epochs import all_of, epoch_of, incarnation, resizes_of, same_incarnation
from stormwatch.errors import TopicError


@given(st.integers(0, 511), st.integers(0, 31))
def test_an_epoch_is_an_incarnation_and_a_count_of_resizes(number: int, resizes: int) -> None:
    epoch = epoch_of(number, resizes)
    assert (incarnation(epoch), resizes_of(epoch)) == (number, resizes)
    assert epoch in all_of(number) and epoch not in all_of(number + 1)
    assert same_incarnation(epoch, epoch_of(number, 0))
    assert not same_incarnation(epoch, epoch_of(number + 1, 0))


def test_of_the_32nd_resize_there_is_no_number_left() -> None:
    with pytest.raises(TopicError, match="no number left"):
        epoch_of(3, 32)
