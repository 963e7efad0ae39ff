"""`verdict` and `replay` after `./stormwatch run` by real Storm, its components killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from apps.local.services.home import Home
from stormwatch.domains.fraud.domain import SHIPPED as FRAUD_MODEL
from stormwatch.domains.maintenance.domain import SHIPPED as MAINTENANCE_MODEL
from stormwatch.settings import Settings
from tests.e2e.project import ROOT
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

DECLINED = {
    "fraud": (FRAUD_MODEL, {"review": 0.0004, "decline": 0.001}),
    "maintenance": (MAINTENANCE_MODEL, {"service": 110, "watch": 120}),
}
"""Thresholds of another model, at which much more is declined, or sent to service."""


def environ_of(settings: Settings, name: str) -> dict[str, str]:
    """Topics, tables and a group of its own."""
    topics = ("transactions", "readings", "posts", "behaviour", "alerts", "dead_letters", "control")
    host, port = settings.kafka_bootstrap, str(settings.cassandra_port)
    return {
        "STORMWATCH_KAFKA_BOOTSTRAP": host, "STORMWATCH_CASSANDRA_PORT": port,
        "STORMWATCH_KAFKA_PARTITIONS": "2", "STORMWATCH_KAFKA_GROUP": name,
        "STORMWATCH_CASSANDRA_KEYSPACE": name, "STORMWATCH_LAYOUT_STRIPES": "8",
        **{f"STORMWATCH_TOPIC_{topic.upper()}": f"{name}.{topic}" for topic in topics},
    }  # fmt: skip


class Proven:
    """A run to its end with a kill -9 of each bolt named, and commands over what it left."""

    def __init__(self, run_dir: Path, environ: dict[str, str], report: Path) -> None:
        self.run_dir, self.environ, self.report = run_dir, environ, report
        self.killed: list[int] = []  # ms

    def run(self, runs: list[Started], topology: str, bolts: list[str]) -> None:
        run = Started(
            self.run_dir, "--topology", topology, "--seconds", "25", "--rate", "150",
            "--report", str(self.report), **self.environ,
        )  # fmt: skip
        runs.append(run)
        run.until(", warming up ")
        time.sleep(4)
        for bolt in bolts:
            self._kill(run, bolt)
            time.sleep(1)
        assert run.wait(400) == 0, run.text
        assert not run.left()

    def _kill(self, run: Started, bolt: str) -> None:
        end = time.monotonic() + 60
        while not (found := self._find(run, bolt)):
            assert time.monotonic() < end, f"{bolt} does not run:\n{run.text}"
            time.sleep(0.2)
        found[0].kill()
        self.killed.append(int(time.time() * 1000))

    def _find(self, run: Started, bolt: str) -> list[psutil.Process]:
        found = []
        for process in run.look():
            with suppress(psutil.Error):  # it ended meanwhile
                if bolt in " ".join(process.cmdline()).split():
                    found.append(process)
        return found

    def call(self, *arguments: str) -> tuple[int, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
        path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "STORMWATCH_RUN_DIR": str(self.run_dir)}
        done = subprocess.run(
            [sys.executable, "-m", "apps.cli", *arguments], cwd=ROOT, capture_output=True,
            env=clean | path | self.environ, text=True, check=False, timeout=200,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def verdict(self, name: str) -> None:
        """It passes with the kills, prints its seed, and is INVALID with a fault of now."""
        faults = [word for at in self.killed for word in ("--fault-at", str(at))]
        code, said = self.call("verdict", name, "--seed", "11", *faults)
        assert (code, said[:5]) == (0, "PASS:"), said
        assert "seed 11" in said
        late = str(int(time.time() * 1000))
        code, said = self.call("verdict", name, *faults, "--fault-at", late)
        assert (code, said[:8]) == (3, "INVALID:"), said
        assert f"the fault at {late}" in said and "seed " in said

    def replay(self, name: str, *more: str) -> tuple[int, dict]:
        made = json.loads(self.report.read_text())["topologies"][name]
        assert made["unaccounted"] == 0 and made["restarts"] >= 1, made
        code, said = self.call(
            "replay", name, "--partition", "0", "--from", "200", "--to", "900", "--json", *more
        )
        assert said.startswith("{"), said
        return code, json.loads(said)


@pytest.fixture
def proven(
    services: Settings, services_home: Home, tmp_path: Path, unique: Callable[[str], str]
) -> Proven:
    name = unique("proven")
    return Proven(services_home.run_dir, environ_of(services, name), tmp_path / "report.json")


def other_model(folder: Path, name: str) -> Path:
    """The shipped one with another version and other thresholds."""
    shipped, thresholds = DECLINED[name]
    (folder / name).mkdir()
    for path in shipped.iterdir():
        if path.is_file():
            (folder / name / path.name).write_bytes(path.read_bytes())
    card = json.loads((shipped / "card.json").read_text())
    assert set(thresholds) <= set(card["thresholds"])
    card |= {"version": f"{name}-other", "thresholds": card["thresholds"] | thresholds}
    (folder / name / "card.json").write_text(json.dumps(card))
    return folder / name


def test_fraud_and_maintenance_are_proven_and_another_model_is_judged(
    proven: Proven, runs: list[Started], tmp_path: Path
) -> None:
    proven.run(runs, "all", ["bolts.fraud.FraudBolt", "bolts.maintenance.MaintenanceBolt"])
    for name in ("fraud", "maintenance"):
        proven.verdict(name)
        code, proof = proven.replay(name)
        assert code == 0 and proof["different"] == 0, proof
        assert proof["equal"] == proof["decisions"] > 500 and proof["before"] == 200
        code, change = proven.replay(name, "--model", str(other_model(tmp_path, name)))
        assert code == 0 and change["model"] == f"{name}-other", change
        assert 0 < change["changed"] <= change["decisions"] == proof["decisions"]
        assert sum(change["outcomes"].values()) == change["changed"]
        assert change["examples"] and change["score_max"] == 0.0
