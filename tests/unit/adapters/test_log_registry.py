"""Incarnations that a keyspace gives out: as many as docs/guarantees.md says, and then none."""

import re
from pathlib import Path

import pytest

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import TopicError
from stormwatch.stretches import FIRST_INCARNATION

PAGE = Path(__file__).parents[3] / "docs" / "guarantees.md"


def test_a_keyspace_has_as_many_as_the_page_says_and_says_what_to_do_after_the_last() -> None:
    (limit,) = map(int, re.findall(r"More than (\d+) stretches", PAGE.read_text()))
    store = MemoryStore()
    given = [store.incarnation(f"log-{n}", 0, None) for n in range(limit)]
    assert given == list(range(FIRST_INCARNATION, FIRST_INCARNATION + limit))
    with pytest.raises(TopicError, match=r"Continue with another keyspace \(cassandra.keyspace\)"):
        store.incarnation("one-too-many", 0, None)
    assert store.incarnation("log-7", 0, None) == given[7], "those that have one go on"
