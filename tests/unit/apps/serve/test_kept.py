"""Kept answers: the old one while the new one is found, and never too old a one."""

from threading import Event

import pytest

from apps.serve.kept import FRESH_S, KEYS, STALE_S, Kept
from stormwatch.errors import StoreUnavailable


class Store:
    """Counts how often it was asked; `slow` holds an answer back."""

    def __init__(self) -> None:
        self.asked, self.away = 0, False
        self.slow, self.now = Event(), 100.0
        self.slow.set()
        self.done = Event()

    def find(self, key: str) -> str:
        assert self.slow.wait(10)
        self.asked += 1
        self.done.set()
        if self.away:
            raise StoreUnavailable("it is away")
        return f"{key} {self.asked}"


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def kept(store: Store) -> Kept[str, str]:
    return Kept(store.find, lambda: store.now)


def test_a_fresh_answer_is_given_again_and_each_question_has_its_own(
    store: Store, kept: Kept[str, str]
) -> None:
    assert [kept.of("a"), kept.of("a"), kept.of("b"), kept.of("a")] == ["a 1", "a 1", "b 2", "a 1"]


def test_an_older_one_is_given_while_another_is_found(store: Store, kept: Kept[str, str]) -> None:
    assert kept.of("a") == "a 1"
    store.now += FRESH_S + 1
    store.slow.clear()
    store.done.clear()
    assert kept.of("a") == kept.of("a") == "a 1"  # whoever asks does not wait
    store.slow.set()
    assert store.done.wait(10)
    while kept.of("a") != "a 2":
        assert store.asked == 2  # however often it was asked for meanwhile


def test_after_a_while_nobody_is_given_an_old_one(store: Store, kept: Kept[str, str]) -> None:
    assert kept.of("a") == "a 1"
    store.now += FRESH_S + STALE_S
    assert kept.of("a") == "a 2"
    store.now += FRESH_S + STALE_S
    store.away = True
    with pytest.raises(StoreUnavailable):
        kept.of("a")


def test_what_cannot_be_found_behind_a_question_stays_as_it_was(
    store: Store, kept: Kept[str, str]
) -> None:
    assert kept.of("a") == "a 1"
    store.now += FRESH_S + 1
    store.away = True
    store.done.clear()
    assert kept.of("a") == "a 1" and store.done.wait(10)
    assert kept.of("a") == "a 1"


def test_no_more_are_kept_than_so_many(store: Store, kept: Kept[str, str]) -> None:
    for i in range(3 * KEYS):
        kept.of(str(i))
    assert len(kept._kept) == KEYS
