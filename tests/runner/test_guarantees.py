"""Exactly one end state for each offset, and the same decisions, whatever goes wrong on the way."""

from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.prove.chaos.traffic import mixed
from stormwatch.adapters.memory.store import Fault as StoreFault
from stormwatch.runner.faults import Act, Fault, Faults, Point
from tests.runner.fraud import Ran, run

RECORDS = 1_500


def holds(ran: Ran) -> None:
    assert ran.differences == [], ran.happened
    assert ran.ledger.sound and not ran.ledger.in_flight, ran.happened
    assert sum(ran.ledger.states.values()) == RECORDS


def test_without_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, mixed(RECORDS), lambda plan: Faults())
    holds(ran)
    assert ran.seconds < 60


@pytest.mark.parametrize("act", list(Act))
def test_one_fault_of_each_kind_on_the_way_to_the_store(
    act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = [Fault(Point.TUPLE, "decide", n, act) for n in (2, 9)]
    ran = run(monkeypatch, mixed(RECORDS), lambda plan: Faults(planted))
    holds(ran)
    assert len(ran.happened) == 2


def campaign(
    monkeypatch: pytest.MonkeyPatch, seed: int, faults: int, stores: list[int], together: bool
) -> None:
    broken = [StoreFault(None if rows < 0 else rows) for rows in stores]
    ran = run(
        monkeypatch, islice(mixed(RECORDS, seed=seed % 7), RECORDS),
        lambda plan: Faults.seeded(seed, plan, faults, within=40),
        seed=seed, together=together, store_faults=broken,
    )  # fmt: skip
    holds(ran)


CHOICES = {
    "seed": st.integers(0, 2**32),
    "faults": st.integers(1, 12),
    "stores": st.lists(st.integers(-1, 60), max_size=6),
    "together": st.booleans(),
}


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments(
    seed: int, faults: int, stores: list[int], together: bool
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        campaign(monkeypatch, seed, faults, stores, together)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments_at_length(
    seed: int, faults: int, stores: list[int], together: bool
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        campaign(monkeypatch, seed, faults, stores, together)
