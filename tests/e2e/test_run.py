"""`./stormwatch run` as a person uses it: real Kafka, Cassandra and Storm."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.services import health
from apps.services.home import Home
from stormwatch.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 280.0  # on a busy machine; about 30 s on two idle cores

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


class Started:
    """A run in the background and what it says."""

    def __init__(self, run_dir: Path, *arguments: str, **environ: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", "run", *arguments],
            cwd=ROOT,
            env={
                **kept,
                "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
                "STORMWATCH_RUN_DIR": str(run_dir),
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.seen: set[psutil.Process] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self.said)

    def until(self, word: str, limit: float = START_LIMIT_S) -> None:
        end = time.monotonic() + limit
        while word not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < end, f"{word!r} is not in time:\n{self.text}"
            self.look()
            time.sleep(0.2)

    def look(self) -> list[psutil.Process]:
        """Remember all that it has started."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.seen.update(found)
        return found

    def wait(self, limit: float) -> int:
        end = time.monotonic() + limit
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self.look()
            time.sleep(0.1)
        self._reader.join(10)
        return self.process.returncode

    def left(self) -> list[str]:
        """What it started and did not end."""
        living = [p for p in self.seen if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        return [" ".join(process.cmdline())[:200] for process in living]

    def end(self) -> None:
        self.look()
        for process in [*self.seen, psutil.Process()][:-1]:
            if process.is_running():
                process.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)


@pytest.fixture
def own_dir(tmp_path: Path) -> Path:
    """A run directory of its own, with the class paths that were resolved before."""
    jars = ROOT / ".stormwatch" / "jars"
    jars.mkdir(parents=True, exist_ok=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "jars").symlink_to(jars)
    return tmp_path / "run"


@pytest.fixture
def runs() -> Iterator[list[Started]]:
    """Runs that end with the test, however it ends."""
    started: list[Started] = []
    yield started
    for run in started:
        run.end()


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
