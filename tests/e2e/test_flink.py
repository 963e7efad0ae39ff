"""Real Flink on real Kafka and Cassandra: what it decides is what the oracle decides."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from apps.data.kinds import BY_TOPOLOGY
from apps.local.flink import virtualenv
from apps.local.services.home import Home, silent
from stormwatch.settings import Settings, to_environ
from tests.conftest import Unique
from tests.e2e.ground import Ground
from tests.e2e.project import ROOT
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(580)]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """With the virtualenv and the jars of the project's own."""
    own = Home.of(Settings(), ROOT)
    virtualenv.python(own, silent)
    (tmp_path / "flink").mkdir()
    (tmp_path / "flink" / "venv").symlink_to(own.run_dir / "flink" / "venv")
    (tmp_path / "jars").symlink_to(own.jars)
    return tmp_path


@pytest.fixture
def started(run_dir: Path) -> Iterator[list[Started]]:
    made: list[Started] = []
    yield made
    for each in made:
        each.end()


def ground(services: Settings, unique: Unique, name: str) -> Ground:
    alone = replace(services, topology_terminals=0)
    made = Ground(alone, BY_TOPOLOGY[name], unique("flink"))
    made.settings = replace(made.settings, topic_labels="")
    return made


def start(on: Ground, run_dir: Path, *more: str) -> Started:
    settings = replace(on.settings, run_dir=str(run_dir))
    return Started(run_dir, "run", on.kind.topology, *more, command="flink", **to_environ(settings))


@pytest.mark.parametrize("name", ["fraud", "maintenance"])
def test_decisions_are_the_oracles_byte_for_byte(
    name: str, services: Settings, unique: Unique, run_dir: Path, started: list[Started]
) -> None:
    on = ground(services, unique, name)
    on.publish(int(os.environ.get("STORMWATCH_FLINK_RECORDS", "100_000")))
    started.append(start(on, run_dir, "--once"))
    assert started[0].wait(560) == 0, started[0].text
    on.passes()


def test_after_kill_9_it_goes_on_from_the_checkpoint(
    services: Settings, unique: Unique, run_dir: Path, started: list[Started]
) -> None:
    on = ground(services, unique, "fraud")
    on.publish(10_000)
    started.append(start(on, run_dir, "--interval", "1"))
    started[0].until("Flink decides fraud from the oldest record on")
    with on.looking() as look:
        while not (list(run_dir.glob("flink/*/fraud/*/*/chk-*/_metadata")) and look()[0] > 2_000):
            assert started[0].process.poll() is None, started[0].text
            time.sleep(0.5)
    for process in (psutil.Process(started[0].process.pid), *started[0].look()):
        process.send_signal(signal.SIGKILL)
    started[0].process.wait()
    on.publish(5_000)  # ids of before: all are duplicates
    started.append(start(on, run_dir, "--once"))
    assert started[1].wait(400) == 0, started[1].text
    assert "Flink decides fraud from /" in started[1].text
    on.passes()
