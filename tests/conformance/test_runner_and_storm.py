"""The runner cannot lie: what it does to these topologies, real Storm does too."""

from collections.abc import Callable

import pytest

from tests.conformance import seen
from tests.conformance.conftest import SPOUTS, ByRunner

TIMED_OUT = {"slow", "holder"}
"""Open: Storm's local cluster had not timed the held tuple out after two minutes."""


def test_shuffles_are_even(islands: seen.Notes) -> None:
    assert set(seen.arrivals(islands, "shuffled").values()) == {20}
    assert set(seen.arrivals(islands, "near").values()) == {30}
    assert all(seen.arrivals(islands, "anyone").values())


def test_what_is_held_times_out_and_comes_again(islands: seen.Notes) -> None:
    assert seen.of(islands, "slow", "failed") == [["2"]]
    assert sorted(seen.of(islands, "slow", "acked")) == [["1"], ["2"], ["3"]]


def test_no_more_is_pending_than_the_limit(islands: seen.Notes) -> None:
    assert max(seen.of(islands, "paced", "pending")) == [1]


def test_two_runs_of_one_seed_are_the_same(islands: seen.Notes, by_runner: ByRunner) -> None:
    assert by_runner("islands") == islands


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_bolt_that_raises_is_started_again_with_its_worker(
    mode: str, by_runner: ByRunner
) -> None:
    started_again(by_runner("mortal", mode, spouts=1))


@pytest.mark.slow
def test_a_process_for_each_task_does_the_same(islands: seen.Notes, by_runner: ByRunner) -> None:
    assert seen.comparable(by_runner("islands", "processes")) == seen.comparable(islands)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(240)
def test_storm_does_the_same(islands: seen.Notes, storm: Callable[[str, int], seen.Notes]) -> None:
    by_storm = storm("islands", SPOUTS - 1)
    ours, theirs = seen.comparable(islands), seen.comparable(by_storm)
    assert ours.keys() == theirs.keys()
    for component, said in theirs.items():
        if component in TIMED_OUT:
            continue
        assert ours[component] == said, component
    for component in seen.ANY_TASK:
        counts = seen.arrivals(by_storm, component).values()
        assert min(counts) > 0.4 * sum(counts) / len(counts), f"{component}: {counts}"
    assert max(seen.of(by_storm, "paced", "pending")) == [1]


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(240)
def test_after_a_bolt_raised_storm_does_the_same(
    by_runner: ByRunner, storm: Callable[[str, int], seen.Notes]
) -> None:
    ours, theirs = by_runner("mortal", spouts=1), storm("mortal", 1)
    started_again(ours)
    started_again(theirs)


def started_again(found: seen.Notes) -> None:
    """The spout starts again too: it shares the worker."""
    got = {values[0] for *_, values in seen.of(found, "dies", "got")}
    assert got == {1, 2, 3, 4, 5, 6}
    assert len(seen.of(found, "dies", "context")) == 2, "it was started twice"
    assert len(seen.of(found, "few", "context")) == 2, "and so was the spout"
    assert {i for (i,) in seen.of(found, "few", "acked")} == set("123456")
