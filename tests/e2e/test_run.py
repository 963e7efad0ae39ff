"""`./stormwatch run` as a person uses it: real Kafka, Cassandra and Storm."""

import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.local.services import health
from apps.local.services.home import Home
from stormwatch.adapters import connect
from stormwatch.settings import Settings
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def component(run: Started, name: str) -> psutil.Process:
    found = [p for p in run.look() if p.cmdline() and p.cmdline()[-1].endswith(name)]
    assert found, [p.cmdline() for p in run.look()]
    return found[0]


def test_both_topologies_decide_all_and_a_killed_bolt_changes_nothing(
    own_dir: Path, tmp_path: Path, runs: list[Started]
) -> None:
    report = tmp_path / "r.json"
    run = Started(own_dir, "--seconds", "15", "--rate", "100", "--report", str(report))
    runs.append(run)
    run.until(", warming up fraud:")
    services = json.loads((own_dir / "services.json").read_text())["services"]
    component(run, "FraudBolt").kill()
    assert run.wait(300) == 0, run.text
    made: dict[str, Any] = json.loads(report.read_text())
    assert made["ok"], made
    assert set(made["topologies"]) == {"fraud", "maintenance"}
    for found in made["topologies"].values():
        decided = sum(n for n in found["states"].values() if isinstance(n, int))
        assert found["published"] == decided > 500
        assert found["unaccounted"] == 0
        assert found["latency_ms"]["p50"] is not None
        assert found["memory_mb"]["storm"] > 50
    assert made["topologies"]["fraud"]["restarts"] == 1
    assert "died: killed by signal 9" in run.text
    assert "\x1b" not in run.text
    assert not run.left()
    assert not (own_dir / "services.json").exists()
    for service in services.values():
        assert not any(health.listens("127.0.0.1", port) for port in service["ports"].values())


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
