"""The newer topologies by `sparse run`, and `dev --processes`, through a kill: real services."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from apps.data.kinds import BY_TOPOLOGY
from apps.local.services.home import Home
from apps.prove.chaos.run import Run
from stormwatch.settings import Settings, to_environ
from tests.e2e.ground import Ground
from tests.e2e.project import Until
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(500)]

COUNT, BATCH = 3000, 100
START_S, DRAIN_S = 240.0, 120.0


@pytest.fixture
def run(services: Settings, services_home: Home, tmp_path: Path) -> Iterator[Run]:
    """A project of its own with our sources."""
    made = Run(tmp_path, services_home.jars, services)
    yield made
    made.project.end()


@pytest.mark.parametrize(
    ("topology", "bolt"),
    [("social", "bolts.social.SocialBolt"), ("recommend", "bolts.items.FirstItems")],
)
def test_a_killed_bolt_changes_nothing(
    run: Run, services: Settings, unique: Callable[[str], str], topology: str, bolt: str
) -> None:
    ground = Ground(services, BY_TOPOLOGY[topology], unique(topology))
    ground.publish(COUNT)
    run.settings = replace(ground.settings, run_dir=".stormwatch", batch_max_records=BATCH)
    run.start(topology)
    with ground.looking() as look:
        run.until(lambda: look()[0] > COUNT // 10, "first tenth", START_S)
        run.kill(bolt)
        assert look()[1] < COUNT, "INVALID: all was decided before the kill"
        run.until(lambda: look() == (COUNT, COUNT), "end and commit of all", DRAIN_S)
    run.stop()
    assert run.said().count("restarting the topology in place") == 1, run.said()
    ground.passes()


def test_dev_with_a_process_for_each_task_on_real_services(
    services: Settings,
    services_home: Home,
    runs: list[Started],
    until: Until,
    unique: Callable[[str], str],
) -> None:
    ground = Ground(services, BY_TOPOLOGY["fraud"], unique("dev"))
    ground.publish(COUNT)
    told = to_environ(replace(ground.settings, batch_max_records=BATCH))
    told.pop("STORMWATCH_RUN_DIR", None)
    run = Started(services_home.run_dir, "fraud", "--processes", command="dev", **told)
    runs.append(run)

    def components() -> dict[str, int]:
        lines = {p.pid: p.cmdline() for p in run.look()}
        return {line[-1]: pid for pid, line in lines.items() if "streamparse.run" in line}

    def reached(condition: Callable[[], bool]) -> bool:
        assert run.process.poll() is None, run.text
        return condition()

    with ground.looking() as look:
        until(lambda: reached(lambda: look()[0] > COUNT // 10), START_S)
        assert len(components()) >= 4, run.text
        os.kill(components()["bolts.fraud.FraudBolt"], signal.SIGKILL)
        assert look()[1] < COUNT, "INVALID: all was decided before the kill"
        until(lambda: reached(lambda: look() == (COUNT, COUNT)), DRAIN_S)
    run.process.send_signal(signal.SIGINT)
    assert run.wait(30) == 130, run.text
    assert "decide " in run.text and "died" in run.text
    assert "Traceback" not in run.text
    assert not run.left()
    ground.passes()
