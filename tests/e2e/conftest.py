"""Fixtures of the tests that run whole commands."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.local.services.home import Home
from apps.prove.chaos.environment import Environment, opened
from apps.prove.chaos.services import OwnServices
from stormwatch.settings import Settings
from tests.e2e.project import BOLT, ROOT, SPOUT, Project, Until
from tests.e2e.started import Started


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project with the repository's versions and environments; nothing outlives it."""
    for name in ("project.clj", "config.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in {"bolts/count.py": BOLT, "spouts/ticks.py": SPOUT}.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
    (tmp_path / "topologies").mkdir()
    out = Project(tmp_path)
    yield out
    out.end()


@pytest.fixture(scope="session")
def until() -> Until:
    """Wait until a condition holds, or fail after some seconds."""

    def wait(condition: Callable[[], object], limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, f"not within {limit_s:g} s"
            time.sleep(0.1)

    return wait


@pytest.fixture
def environment(
    request: pytest.FixtureRequest,
    services: Settings,
    services_home: Home,
    tmp_path: Path,
    unique: Callable[[str], str],
) -> Iterator[Environment]:
    """Topics, tables and a project of this test's own, named after its module."""
    name = request.module.__name__.rpartition(".test_")[2].removeprefix("faults_")
    with opened(services, OwnServices(services_home), tmp_path, unique(name)) as made:
        yield made


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
