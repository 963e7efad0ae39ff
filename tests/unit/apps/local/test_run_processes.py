"""Topologies and publishers as processes: what they say, how they end, what they weigh."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from apps.local.memory import by_component, component_of, total_mb
from apps.local.run.topology import Topology

ROOT = Path(__file__).resolve().parents[4]
ENVIRON = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
NEVER_ENDS = "import time; time.sleep(600)"
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
print("child", child.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""
GIVES_UP = """
import sys
print("toy: component decide (pid 7) died with code 1", file=sys.stderr)
print("Traceback (most recent call last):\\nValueError: no", file=sys.stderr)
print("toy: restarting the topology in place (1 of at most 3 in 10 minutes)", file=sys.stderr)
sys.exit(1)
"""


class Told(list[tuple[str, str]]):
    """What reached the screen."""

    def __call__(self, name: str, line: str) -> None:
        self.append((name, line))


def topology(tmp_path: Path, program: str) -> tuple[Topology, Told]:
    told = Told()
    command = [sys.executable, "-c", program]
    made = Topology("toy", tmp_path, tmp_path / "logs", told, command)
    made.start(ENVIRON)
    return made, told


def until(condition: object, limit: float = 20.0) -> None:
    end = time.monotonic() + limit
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "in time"
        time.sleep(0.02)


BUFFERED = """
import sys
print("buffered until the end " * 9)
print("Traceback (most recent call last):\\nValueError: why", file=sys.stderr, flush=True)
"""


def test_what_is_flushed_at_the_end_overwrites_no_traceback(tmp_path: Path) -> None:
    made, told = topology(tmp_path, BUFFERED)
    until(lambda: made.code is not None and len(told) == 2)
    made.obituary()
    text = made.log.read_text()
    assert "ValueError: why" in text
    assert text.count("buffered until the end") == 9


def test_a_topology_that_gives_up_leaves_its_traceback_and_its_code(tmp_path: Path) -> None:
    made, told = topology(tmp_path, GIVES_UP)
    until(lambda: made.code is not None and len(told) == 4)
    assert made.code == 1
    assert made.restarts == 1
    assert ("toy", "component decide (pid 7) died with code 1") in told
    assert ("toy", "ValueError: no") in told
    obituary = made.obituary()
    assert "The topology toy ended with code 1." in obituary
    assert "ValueError: no" in obituary
    assert str(made.log) in obituary
    assert "ValueError: no" in made.log.read_text()
    made.signal_stop()  # both are harmless afterwards
    made.wait_stopped(1)


def test_a_topology_ends_as_by_ctrl_c_and_says_nothing_more(tmp_path: Path) -> None:
    made, told = topology(tmp_path, NEVER_ENDS)
    until(lambda: "time.sleep" in " ".join(psutil.Process(made.pid).cmdline()[-1:]))
    began = time.monotonic()
    made.signal_stop()
    made.wait_stopped(10)
    assert time.monotonic() - began < 5
    assert made.code is not None
    assert not told


def test_what_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    made, told = topology(tmp_path, STUBBORN)
    until(lambda: bool(told))
    child = int(told[0][1].split()[1])
    made.signal_stop()
    made.wait_stopped(0.5)
    assert made.code is not None
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_killed_run_takes_its_topology_along(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
from pathlib import Path
from apps.local.run.topology import Topology
made = Topology("toy", Path({str(tmp_path)!r}), Path({str(tmp_path)!r}), print,
                [sys.executable, "-c", {NEVER_ENDS!r}])
made.start(os.environ)
print(made.pid, flush=True)
time.sleep(600)
"""
    run = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=ENVIRON
    )
    assert run.stdout is not None
    child = psutil.Process(int(run.stdout.readline()))
    until(lambda: "time.sleep" in " ".join(child.cmdline()[-1:]))
    run.kill()
    run.wait()
    run.stdout.close()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_memory_is_of_the_whole_tree_and_each_process_counts_once() -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {NEVER_ENDS!r}])"
    parent = subprocess.Popen([sys.executable, "-c", nested], start_new_session=True)
    try:
        until(lambda: bool(psutil.Process(parent.pid).children()))
        groups = by_component({"tree": [parent.pid], "again": [parent.pid], "gone": [2**22 + 1]})
        assert groups["tree"]["total"] > 10
        assert groups["again"] == groups["gone"] == {"total": 0.0}
        assert total_mb(groups) == groups["tree"]["total"]
        assert sum(v for k, v in groups["tree"].items() if k != "total") == pytest.approx(
            groups["tree"]["total"], abs=0.2
        )
    finally:
        for process in [*psutil.Process(parent.pid).children(recursive=True), parent]:
            process.kill()
        parent.wait()


@pytest.mark.parametrize(
    ("command", "name", "expected"),
    [
        (["python", "/v/bin/streamparse_run", "-s", "json", "bolts.fraud.FraudBolt"],
         "streamparse_run", "FraudBolt"),
        (["java", "-cp", "x", "org.apache.storm.LocalCluster", "flux"], "java", "storm"),
        (["/usr/bin/java", "kafka.Kafka", "server.properties"], "java", "kafka"),
        (["java", "org.apache.cassandra.service.CassandraDaemon"], "java", "cassandra"),
        (["java", "-jar", "other.jar"], "java", "java"),
        ([], "", "?"),
    ],
)  # fmt: skip
def test_components_are_named_by_what_they_run(
    command: list[str], name: str, expected: str
) -> None:
    assert component_of(command, name) == expected


def test_sparse_is_told_that_the_topology_was_linted(tmp_path: Path) -> None:
    program = "import os, sys; print(os.environ['STORMWATCH_SPARSE_CHECKED'], file=sys.stderr)"
    made, told = topology(tmp_path, program)
    until(lambda: made.code is not None and len(told) == 1)
    assert told == [("toy", "yes")]
