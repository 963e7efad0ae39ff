"""Campaigns that `./stormwatch test --all` runs; the others are run by name (docs/faults.md)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from apps.chaos.campaigns import named
from apps.chaos.conduct import conduct
from apps.chaos.scene import opened
from apps.chaos.stand import Stand
from apps.services.home import Home
from stormwatch.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

SEED = 31


@pytest.mark.parametrize("name", ["cassandra-slow", "burst", "model-slow"])
def test_nothing_is_lost_doubled_or_changed(
    services: Settings, services_home: Home, tmp_path: Path, unique: Callable[[str], str], name: str
) -> None:
    with opened(services, Stand(services_home), tmp_path, unique("campaign")) as scene:
        result = conduct(scene, named(name), SEED)
    assert sum(result.states.values()) == result.records
