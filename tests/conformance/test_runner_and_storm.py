"""The runner cannot lie: what it does to these topologies, real Storm does too.

Two topologies hold some thirty small ones each of which shares nothing but the worker with the
others; three more are about components that raise or are refused.
"""

from collections.abc import Callable

import pytest

from tests.conformance import seen
from tests.conformance.conftest import ByRunner, ByStorm

Ours = Callable[[str], seen.Notes]

REFUSED = {
    "direct_emit": "class java.lang.Integer cannot be cast to class java.lang.Long",
    "unknown_stream": "Unknown stream ID: nowhere",
    "too_few": "Tuple created with wrong number of fields. Expected 3 fields but got 2 fields",
    "too_many": "Tuple created with wrong number of fields. Expected 3 fields but got 4 fields",
    "acks_twice": "Acked a non-existent or already acked/failed id: ",
    "fails_acked": "Failed a non-existent or already acked/failed id: ",
    "anchors_late": "Anchored onto ",
    "anchors_strange": "Anchored onto 1234 after ack/fail",
    "no_command": "NullPointerException",
    "metric": "Could not find metric by name[speed]",
}
"""Bolt of the topology `refused` -> what Storm says of it."""


def test_shuffles_are_even(ours: Ours) -> None:
    islands = ours("islands")
    assert set(seen.arrivals(islands, "shuffled").values()) == {20}
    assert set(seen.arrivals(islands, "near").values()) == {30}
    assert all(seen.arrivals(islands, "anyone").values())


def test_two_runs_of_one_seed_are_the_same(ours: Ours, by_runner: ByRunner) -> None:
    assert by_runner("islands") == ours("islands")


def test_the_runner_does_what_storm_did(ours: Ours) -> None:
    as_it_should_be(ours("islands"), ours("reefs"))


def test_the_runner_refuses_what_storm_refuses(ours: Ours) -> None:
    refusals(ours("refused"))


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_component_that_raises_is_started_again_with_its_worker(
    mode: str, by_runner: ByRunner
) -> None:
    started_again(by_runner("mortal", mode), "dies", "few")
    started_again(by_runner("mutiny", mode), "obeys", "rebel")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["islands", "reefs"])
def test_a_process_for_each_task_does_the_same(name: str, ours: Ours, by_runner: ByRunner) -> None:
    assert seen.comparable(by_runner(name, "processes")) == seen.comparable(ours(name))


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["islands", "reefs"])
def test_storm_does_the_same(name: str, ours: Ours, storm: ByStorm) -> None:
    by_storm = storm(name)
    mine, theirs = seen.comparable(ours(name)), seen.comparable(by_storm)
    assert mine.keys() == theirs.keys()
    other = {name: (mine[name], said) for name, said in theirs.items() if mine[name] != said}
    assert not other
    for component in seen.ANY_TASK & by_storm.keys():
        counts = seen.arrivals(by_storm, component).values()
        assert min(counts) > 0.4 * sum(counts) / len(counts), f"{component}: {counts}"
    for component in seen.PACED & by_storm.keys():
        assert seen.pending(by_storm, component) == 1, component


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "bolt", "spout"), [("mortal", "dies", "few"), ("mutiny", "obeys", "rebel")]
)
def test_after_a_component_raised_storm_does_the_same(
    name: str, bolt: str, spout: str, storm: ByStorm
) -> None:
    started_again(storm(name), bolt, spout)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_storm_refuses_the_same(storm: ByStorm) -> None:
    refusals(storm("refused"))


def as_it_should_be(islands: seen.Notes, reefs: seen.Notes) -> None:
    """What the comparison rests on: these things happened at all."""
    for notes, spout, failed, acked in (
        (islands, "slow", [["2"]], ["1", "2", "3"]),
        (reefs, "throttled", [["2"]], ["1", "2", "3"]),
        (reefs, "tardy", [["2"]], ["1", "2", "3"]),
        (reefs, "sluggish", [["2"]], ["1", "2", "3"]),
        (reefs, "half", [["1"], ["3"]], ["1", "2", "3"]),
    ):
        assert sorted(seen.of(notes, spout, "failed")) == failed, spout
        assert sorted(one for (one,) in seen.of(notes, spout, "acked")) == acked, spout
    for notes in (islands, reefs):
        for component in seen.PACED & notes.keys():
            assert seen.pending(notes, component) == 1, component


def refusals(found: seen.Notes) -> None:
    """Each was refused with Storm's words, once; the others were not."""
    said = dict(seen.of(found, seen.DEATHS, "died"))
    assert said.keys() == REFUSED.keys()
    for name, why in said.items():
        assert REFUSED[name].replace("class java.lang.", "") in why.replace("class java.lang.", "")


def started_again(found: seen.Notes, bolt: str, spout: str) -> None:
    """Both start again: they share the worker. Nothing is lost."""
    ids = {i for (i,) in seen.of(found, spout, "acked")}
    assert {str(values[0]) for *_, values in seen.of(found, bolt, "got")} == ids
    assert ids == {str(n) for n in range(1, len(ids) + 1)} and len(ids) >= 4
    assert len(seen.of(found, bolt, "context")) == 2, "it was started twice"
    assert len(seen.of(found, spout, "context")) == 2, "and so was the spout"
