"""`sparse run` with our `storm` command, on real Storm in local mode."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from apps.local.services import jars
from tests.e2e.project import ROOT, Project, Until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def pids(directory: Path) -> list[int]:
    """Processes of the bolt that have seen a tuple."""
    return [int(p.suffix[1:]) for p in directory.glob("pid.*") if p.stat().st_size]


def listening(project: Project) -> set[str]:
    """The addresses on which its processes accept connections."""
    found = set()
    for process in project.processes():
        for each in process.net_connections("inet"):
            if each.status == psutil.CONN_LISTEN:
                found.add(each.laddr.ip.removeprefix("::ffff:"))  # IPv4 by a socket of both kinds
    return found


def jvms(project: Project) -> list[psutil.Process]:
    return [each for each in project.processes() if each.name() == "java"]


def test_two_timed_runs_at_once_end_quietly(project: Project) -> None:
    seen = [project.topology(name) for name in ("one", "two")]
    runs = [project.sparse("run", "-n", name, "-t", "12") for name in ("one", "two")]
    assert [run.wait(timeout=120) for run in runs] == [0, 0], project.said(0) + project.said(1)
    for number, directory in enumerate(seen):
        assert len(pids(directory)) == 1
        assert "Traceback" not in project.said(number)
        assert "ERROR" not in project.said(number)
        assert "Exception" not in project.said(number)
    assert project.processes() == []
    left = [p.name for p in (project.root / ".stormwatch" / "storm-local").iterdir()]
    assert sorted(left) == ["one.lock", "two.lock"], "Storm's temporary files are gone"


def test_a_killed_bolt_is_restarted_in_place(project: Project, until: Until) -> None:
    seen = project.topology("tiny")
    run = project.sparse("run", "-n", "tiny")
    until(lambda: pids(seen) or run.poll() is not None, 90)
    (bolt,) = pids(seen)
    assert listening(project) == {"127.0.0.1"}
    assert [each.environ()["MALLOC_ARENA_MAX"] for each in jvms(project)] == ["2", "2"]
    mapped = "".join(m.path for each in jvms(project) for m in each.memory_maps())
    assert "libjvm" in mapped
    assert "rocksdb" not in mapped  # Storm's own figures are not stored
    second = subprocess.run(
        [*_storm(), "jar", "x.jar", "org.apache.storm.flux.Flux", "--local", str(_flux(project))],
        cwd=project.root,
        env=_environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "The topology tiny runs here already" in second.stderr
    psutil.Process(bolt).kill()
    until(lambda: len(pids(seen)) == 2, 60)
    log = (project.root / ".stormwatch/logs/storm-tiny.log").read_text()
    learned = f"pid:{bolt}, name:count exitCode:137" in log
    how = "killed by signal 9" if learned else "Storm did not learn its exit code"
    assert f"component count (pid {bolt}) died: {how}" in project.said()
    assert "restarting the topology in place (1 of at most 3" in project.said()
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=10) == 130
    assert "Traceback" not in project.said()
    assert project.processes() == []


def test_a_bolt_that_always_dies_ends_the_run_with_its_traceback(project: Project) -> None:
    seen = project.topology("tiny")
    (seen / "boom").touch()
    assert project.sparse("run", "-n", "tiny").wait(timeout=200) != 0
    said = project.said()
    assert said.count("component count (pid") == 4
    assert "ValueError: boom in initialize" in said.rpartition("(3 of at most 3")[2]
    assert "it died 4 times in 10 minutes; giving up" in said
    assert project.processes() == []


def test_a_killed_sparse_leaves_nothing(project: Project, until: Until) -> None:
    seen = project.topology("tiny")
    run = project.sparse("run", "-n", "tiny")
    until(lambda: pids(seen) or run.poll() is not None, 90)
    run.kill()
    until(lambda: project.processes() == [], 15)


@pytest.mark.slow
def test_storm_at_rest_makes_no_threads(project: Project, until: Until) -> None:
    """By itself it looks for newer and older jars every 30 s, by 28 threads that end at once."""
    seen = project.topology("tiny")
    run = project.sparse("run", "-n", "tiny")
    until(lambda: pids(seen) or run.poll() is not None, 90)
    (storm,) = [each for each in jvms(project) if "org.apache.storm.LocalCluster" in each.cmdline()]
    time.sleep(20)  # until all has begun
    end, threads = time.monotonic() + 65, []
    while time.monotonic() < end:
        threads.append(storm.num_threads())
        time.sleep(0.02)
    assert max(threads) - min(threads) < 10


def test_storm_names_the_version_of_project_clj(project: Project) -> None:
    command = [*_storm(), "version"]
    text = subprocess.run(
        command, cwd=project.root, env=_environ(), capture_output=True, text=True, check=True
    ).stdout
    assert text == f"Storm {jars.storm_version(ROOT)}\n"


def _storm() -> list[str]:
    return [sys.executable, "-m", "apps.local.storm.storm"]


def _environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}


def _flux(project: Project) -> Path:
    path = project.root / "flux.yaml"
    path.write_text("name: tiny\nspouts: []\nbolts: []\n")
    return path
