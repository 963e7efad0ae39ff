"""Campaigns that `./stormwatch test --all` runs; the others are run by name (docs/faults.md)."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.local.services.home import Home
from apps.prove.chaos.campaign import conduct
from apps.prove.chaos.campaigns import named
from apps.prove.chaos.environment import opened
from apps.prove.chaos.services import OwnServices
from stormwatch.settings import Settings
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

SEED = 31


@pytest.mark.parametrize("name", ["cassandra-slow", "burst", "model-slow"])
def test_nothing_is_lost_doubled_or_changed(
    services: Settings, services_home: Home, tmp_path: Path, unique: Callable[[str], str], name: str
) -> None:
    with opened(services, OwnServices(services_home), tmp_path, unique("campaign")) as environment:
        result = conduct(environment, named(name), SEED)
    assert sum(result.states.values()) == result.records


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_campaign_that_is_ended_leaves_no_process(
    services_home: Home, tmp_path: Path, runs: list[Started], number: signal.Signals
) -> None:
    (tmp_path / "jars").symlink_to(services_home.jars)
    campaign = Started(tmp_path, "kill-bolt", "--seed", "3", command="chaos")
    runs.append(campaign)
    campaign.until("ledger: ")
    assert any("storm" in " ".join(each.cmdline()) for each in campaign.look())
    campaign.process.send_signal(number)
    assert campaign.wait(60) == (128 + number if number == signal.SIGTERM else -number)
    end = time.monotonic() + 30
    while left := campaign.left():
        assert time.monotonic() < end, left
        time.sleep(0.2)
