"""`./stormwatch run` on services that run already: real Kafka, Cassandra and Storm."""

import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from apps.local.services import health
from apps.local.services.home import Home
from stormwatch.adapters import connect
from stormwatch.settings import Settings
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_ctrl_c_ends_it_with_130_and_leaves_services_that_were_up(
    services: Settings, services_home: Home, runs: list[Started], tmp_path: Path
) -> None:
    report = tmp_path / "r.json"
    run = Started(services_home.run_dir, "--topology", "fraud", "--report", str(report))
    runs.append(run)
    run.until(", warming up fraud:")
    began = time.monotonic()
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.wait(60) == 130, run.text
    assert time.monotonic() - began < 20  # 5 s on an idle machine
    assert json.loads(report.read_text())["topologies"]["fraud"]["published"] > 0
    assert not run.left()
    with closing(connect.admin(services)) as admin:
        commits = admin.committed(services.kafka_group, services.topic_transactions)
    assert commits
    assert all(json.loads(commit.metadata)["c"] for commit in commits.values()), commits
    host, port = services.kafka_bootstrap.split(":")
    assert health.listens(host, int(port))


@pytest.mark.slow
def test_a_topology_that_gives_up_ends_the_run_with_its_reason(
    services: Settings, services_home: Home, runs: list[Started], tmp_path: Path
) -> None:
    missing = tmp_path / "no-model"
    run = Started(services_home.run_dir, "--topology", "fraud", STORMWATCH_FRAUD_MODEL=str(missing))
    runs.append(run)
    assert run.wait(500) == 1, run.text
    assert str(missing) in run.text
    assert "giving up" in run.text
    assert not run.left()
