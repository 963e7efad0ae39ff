"""What both stores keep of changes of rules and models, and their artefacts."""

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from stormwatch.ports import Store
from stormwatch.rollout.changes import CHUNK, Change, Entry, digest

FIRST = Change(
    "fraud", "rules", 1, 1_700_000_000_000, "anna", "nights", "push",
    (Entry("r-1", "ab" * 32), Entry("r-2", "cd" * 32, "canary", 0.25)),
)  # fmt: skip


@pytest.fixture
def change(unique: Callable[[str], str]) -> Change:
    return replace(FIRST, domain=unique("d"))


def test_a_number_is_given_to_one_change_and_the_newest_come_first(
    store: Store, change: Change
) -> None:
    assert store.changes(change.domain, "rules", 9) == []
    assert store.add_change(change)
    assert store.add_change(change), "the same again, as after a time-out"
    assert not store.add_change(replace(change, author="ben"))
    later = replace(change, revision=2, entries=())
    assert store.add_change(later)
    assert store.changes(change.domain, "rules", 9) == [later, change]
    assert store.changes(change.domain, "rules", 1) == [later]
    assert store.changes(change.domain, "model", 9) == []


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK + 17])
def test_an_artefact_of_any_size_comes_back_by_its_hash(store: Store, size: int) -> None:
    artefact = Random(size).randbytes(size)
    name = store.keep_artefact(artefact)
    assert name == digest(artefact)
    assert store.keep_artefact(artefact) == name
    assert store.artefact(name) == artefact
    assert store.artefact(digest(b"another")) is None
