"""Cycles that a batch leaves behind go with it, wherever they got to."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from stormwatch.adapters.storm import collector


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_a_cycle_of_this_batch_is_freed_after_it() -> None:
    collector.spare_start()
    collect = collector.Collector()
    left = weakref.ref(Node())
    assert left() is not None
    collect()
    assert left() is None


def test_a_cycle_that_outlived_its_batch_is_freed_in_time() -> None:
    collector.spare_start()
    collect = collector.Collector()
    held = Node()
    left = weakref.ref(held)
    collect()
    del held
    for _ in range(collector._MIDDLE_EVERY):
        collect()
    assert left() is None
