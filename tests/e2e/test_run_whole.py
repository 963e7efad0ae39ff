"""`./stormwatch run` as a person uses it, from nothing: it starts Kafka, Cassandra and Storm."""

import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.local.services import health
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
    # Which of the two is Storm's race: tests/e2e/test_services_storm.py holds it to Storm's log.
    assert re.search(r"died: (killed by signal 9|Storm did not learn its exit code)", run.text)
    assert "\x1b" not in run.text
    assert not run.left()
    assert not (own_dir / "services.json").exists()
    for service in services.values():
        assert not any(health.listens("127.0.0.1", port) for port in service["ports"].values())
