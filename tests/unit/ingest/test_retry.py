"""Waiting for Kafka: what ends it, how often it asks, and how often it says so."""

import logging
from random import Random

import pytest

from stormwatch.errors import BrokerRefused, BrokerUnavailable
from stormwatch.ingest.retry import COMMIT, FETCH, LOOK, REFUSED_MAX_S, SAY_AGAIN_S, Retry


class World:
    """Retries on a clock that the test moves, and what was said."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 0.0
        self.retry = Retry(lambda: self.now, Random(7))
        self._caplog = caplog
        caplog.set_level(logging.WARNING, "stormwatch")

    def said(self, words: str) -> int:
        return self._caplog.text.count(words)

    def try_it(self, call: str, error: Exception | None, *, proves: bool = True) -> bool:
        """Whether it was time to."""
        if not self.retry.may(call):
            return False
        with self.retry.attempt(call, proves=proves):
            if error:
                raise error
        return True


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    return World(caplog)


def test_answers_of_another_kind_do_not_end_a_refusal(world: World) -> None:
    """An hour of refused commits, with a topic that is looked at and fetched all the time."""
    tries = 0
    for _ in range(36_000):
        tries += world.try_it(COMMIT, BrokerRefused("group taken"))
        assert world.try_it(LOOK, None)
        assert world.try_it(FETCH, None)
        world.now += 0.1
    assert 3600 / REFUSED_MAX_S <= tries <= 2 * 3600 / REFUSED_MAX_S + 20
    assert world.said("Kafka refuses, waiting until that is mended: group taken") == (
        3600 / SAY_AGAIN_S
    )
    assert not world.said("no longer refuses")
    world.now += REFUSED_MAX_S
    assert world.try_it(COMMIT, None)
    assert world.said("Kafka no longer refuses to let us commit") == 1
    assert world.try_it(COMMIT, None)


def test_an_outage_is_said_once_stops_every_kind_and_ends_when_all_that_failed_goes_well(
    world: World,
) -> None:
    assert world.try_it(COMMIT, BrokerUnavailable("away"))
    assert not world.retry.may(LOOK) and not world.retry.may(FETCH)
    world.now += 20
    assert world.try_it(LOOK, BrokerUnavailable("away"))
    assert world.retry.troubled
    world.now += 20
    assert world.try_it(LOOK, None)
    assert not world.retry.troubled
    assert not world.said("answers again")
    assert world.try_it(COMMIT, None, proves=False)
    assert not world.said("answers again")
    assert world.try_it(COMMIT, None)
    assert world.said("Kafka answers again") == 1
    assert world.said("Kafka does not answer") == 1


def test_a_fetch_that_finds_no_kafka_is_proven_by_a_look(world: World) -> None:
    assert world.try_it(FETCH, BrokerUnavailable("away"))
    assert world.retry.troubled
    world.now += 20
    assert world.try_it(LOOK, None)
    assert world.said("Kafka answers again") == 1


def test_a_refused_fetch_rests_and_ends_with_records(world: World) -> None:
    for _ in range(9):
        assert world.try_it(FETCH, BrokerRefused("too large"), proves=False)
        assert world.retry.may(LOOK) and world.retry.may(COMMIT)
        world.now += REFUSED_MAX_S
    assert world.try_it(FETCH, BrokerRefused("too large"), proves=False)
    world.now += REFUSED_MAX_S / 3
    assert not world.retry.may(FETCH)
    world.retry.well(FETCH)
    assert world.retry.may(FETCH)
    assert world.said("no longer refuses to let us fetch") == 1
