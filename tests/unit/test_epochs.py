"""Epochs rise; only a topic made again starts a new incarnation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.epochs import incarnation, next_epoch
from stormwatch.errors import TopicError


@given(st.lists(st.booleans(), max_size=60))
def test_every_change_rises_and_only_recreation_starts_anew(changes):
    epoch, resized = 1, 1
    for recreated in changes:
        resized = 0 if recreated else resized + 1
        if resized == 32:
            with pytest.raises(TopicError, match="no number left"):
                next_epoch(epoch, recreated=False)
            return
        after = next_epoch(epoch, recreated=recreated)
        assert after > epoch
        assert (incarnation(after) > incarnation(epoch)) == recreated
        epoch = after
