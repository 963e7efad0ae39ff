"""The same topologies through the runner and through real Storm, once a session each."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance import seen
from tests.e2e.project import ROOT, Project

HERE = Path(__file__).parent
SPOUTS = {"islands": 17, "reefs": 21, "mortal": 1, "mutiny": 1, "refused": 12}
"""Topology -> how many say that they are done: spout tasks, and in `refused` its bolts."""
STORM_LIMIT_S = 240

ByRunner = Callable[..., seen.Notes]
ByStorm = Callable[[str], seen.Notes]


@pytest.fixture(scope="session")
def by_runner(tmp_path_factory: pytest.TempPathFactory) -> ByRunner:
    """Runs a topology of the project through the runner: its notes."""

    def run(name: str, mode: str = "threads", seconds: float = 240) -> seen.Notes:
        folder = tmp_path_factory.mktemp(f"{name}-{mode}")
        path = os.pathsep.join([str(HERE / "project" / "src"), str(ROOT / "src")])
        environ = {
            "CONFORMANCE_FOLDER": str(folder),
            "PYTHONPATH": path,
            "PYTHONWARNINGS": "ignore",
        }
        script = [sys.executable, str(HERE / "by_runner.py"), name, name.title(), mode]
        done = subprocess.run(
            [*script, str(seconds), str(SPOUTS[name])], env=os.environ | environ, check=False,
            capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return seen.notes(folder)

    return run


@pytest.fixture(scope="session")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByStorm]:
    """Runs a topology of the project by `sparse run`, until its spouts are done: its notes."""
    root = tmp_path_factory.mktemp("storm") / "project"
    shutil.copytree(HERE / "project", root)
    for name in ("project.clj", "config.json"):
        shutil.copy(ROOT / name, root / name)
    made = Project(root)

    def run(name: str) -> seen.Notes:
        folder = tmp_path_factory.mktemp(f"{name}-storm")
        child = made.sparse("run", "-n", name, CONFORMANCE_FOLDER=str(folder))
        end = time.monotonic() + STORM_LIMIT_S
        while len(list(folder.glob("done.*"))) < SPOUTS[name]:
            assert child.poll() is None, made.said(len(made.running) - 1)[-9000:]
            assert time.monotonic() < end, (
                f"{sorted(folder.glob('done.*'))}\n{made.said(len(made.running) - 1)[-9000:]}"
            )
            time.sleep(0.2)
        time.sleep(1.0)
        os.killpg(child.pid, signal.SIGINT)
        child.wait(timeout=30)
        log = (root / ".stormwatch" / "logs" / f"storm-{name}.log").read_text()
        return seen.notes(folder) | seen.deaths(log)

    yield run
    for left in made.processes():
        left.kill()


@pytest.fixture(scope="session")
def ours(by_runner: ByRunner) -> Callable[[str], seen.Notes]:
    """A topology in the runner, in one process: run once a session."""
    return functools.cache(by_runner)
