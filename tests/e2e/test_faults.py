"""Processes of a running topology are killed; afterwards nothing is lost, doubled or changed."""

from dataclasses import replace

import pytest

from apps.prove.chaos.campaign import Campaign, Result, Trial, conduct
from apps.prove.chaos.campaigns import named
from apps.prove.chaos.environment import Environment
from apps.prove.chaos.run import BOLT, SPOUT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

TERMINALS = "bolts.second_key.TerminalBolt"
SCORE, STORE = "bolts.fraud.ScoreTransactions", "bolts.fraud.StoreFraudDecisions"


def held(environment: Environment, campaign: Campaign, seed: int) -> Result:
    """The last kill fell into a backlog; all laws held."""
    result = conduct(environment, campaign, seed)
    assert result.left > result.records / 10, f"INVALID: only {result.left} records were left"
    return result


def bolt_then_spout(trial: Trial) -> None:
    trial.kill(BOLT, 0.1)
    trial.kill(SPOUT, 0.3)


def both_halves(trial: Trial) -> None:
    trial.kill(SCORE, 0.1)
    trial.kill(STORE, 0.4)


def test_killed_bolt_and_spout_change_nothing(environment: Environment) -> None:
    result = held(environment, replace(named("kill-bolt"), faults=bolt_then_spout), 1)
    assert result.kills == 2
    assert set(result.states) == {"scored", "rejected", "duplicate", "conflict", "late"}


@pytest.mark.slow
def test_a_killed_bolt_of_terminals_changes_nothing(environment: Environment) -> None:
    kill = replace(named("kill-bolt"), faults=lambda trial: trial.kill(TERMINALS, 0.1))
    assert held(environment, kill, 5).kills == 1


@pytest.mark.slow
def test_three_kills_change_nothing(environment: Environment) -> None:
    held(environment, named("kill-three"), 2)


@pytest.mark.slow
def test_a_killed_storm_changes_nothing(environment: Environment) -> None:
    held(environment, named("kill-jvm"), 3)


@pytest.mark.slow
def test_the_spread_form_decides_the_same(environment: Environment) -> None:
    campaign = named("kill-bolt")
    spread = {**campaign.settings, "topology_chain": False, "topic_labels": ""}
    held(environment, replace(campaign, faults=both_halves, settings=spread), 4)


@pytest.mark.slow
def test_a_fault_that_strikes_nothing_is_invalid(environment: Environment) -> None:
    from apps.prove.chaos.errors import Invalid

    def too_late(trial: Trial) -> None:
        trial.environment.drain(trial.count, 240)

    with pytest.raises(Invalid, match="seed 5"):
        conduct(environment, replace(named("kill-bolt"), faults=too_late, count=500), 5)
