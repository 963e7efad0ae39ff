"""Services are started, found, reused and ended, for real."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from apps.local.services import cassandra, kafka, lifecycle, manage, ports, process, registry
from apps.local.services.errors import ServiceError
from apps.local.services.health import cassandra_answers, kafka_answers
from apps.local.services.home import Home, silent
from apps.local.services.registry import Entry
from stormwatch.settings import Settings, load

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, services_home: Home) -> Iterator[Home]:
    """A run directory of its own, with the session's class paths."""
    own = Home(ROOT, tmp_path, services_home.jars)
    yield own
    with registry.locked(own):
        lifecycle.halt(own, list(registry.read(own)), silent)


def of(run_dir: Path) -> list[psutil.Process]:
    """Processes whose command line names the run directory."""
    found = []
    for candidate in psutil.process_iter(["cmdline"]):
        if any(str(run_dir) in part for part in candidate.info["cmdline"] or ()):
            found.append(candidate)
    return [p for p in found if p.pid != os.getpid()]


def answers(settings: Settings) -> bool:
    host, _, port = settings.kafka_bootstrap.rpartition(":")
    return kafka_answers(host, int(port)) and cassandra_answers(host, settings.cassandra_port)


def test_up_is_idempotent_and_down_leaves_nothing(tmp_path: Path, services_home: Home) -> None:
    """Default ports are taken at first and others at the second start; the data is the same."""
    shutil.copytree(services_home.jars, tmp_path / "jars")
    environ = {"STORMWATCH_RUN_DIR": str(tmp_path)}
    settings = load(environ, root=ROOT)
    seen = []
    told: list[tuple[str, str]] = []
    for _ in range(2):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if ports.is_free(9092):
                other.bind((ports.HOST, 9092))
                other.listen()
            found = manage.up(
                settings, ROOT, lambda step, detail: told.append((step, detail)), environ
            )
            assert answers(found)
            assert found.kafka_bootstrap != "127.0.0.1:9092"
            port = found.kafka_bootstrap.rpartition(":")[2]
            taken = f"port 9092 is taken by another program; using {port} instead"
            assert ("kafka", taken) in told
            assert load(environ, root=ROOT).kafka_bootstrap == found.kafka_bootstrap
            pids = {s.pid for s in manage.status(ROOT, settings)}
            assert {psutil.Process(pid).environ()["MALLOC_ARENA_MAX"] for pid in pids} == {"2"}
            assert manage.up(settings, ROOT, silent, environ) == found
            assert {s.pid for s in manage.status(ROOT, settings)} == pids
        begin = time.monotonic()
        assert set(manage.down(ROOT, silent, settings)) == {"kafka", "cassandra"}
        assert time.monotonic() - begin < 10
        assert of(tmp_path) == []
        assert ports.is_free(int(found.kafka_bootstrap.rpartition(":")[2]))
        assert ports.is_free(found.cassandra_port)
        seen.append(found)
    assert seen[0].kafka_bootstrap != seen[1].kafka_bootstrap


def test_a_killed_service_is_recognised_and_started_again(home: Home) -> None:
    broker = ports.free()
    plans = {"kafka": partial(kafka.plan, broker=broker, controller=ports.free(taken=[broker]))}
    (first,) = lifecycle.ensure(home, plans, silent)
    psutil.Process(first.pid).kill()
    while process.find(first.identity):
        time.sleep(0.05)
    told: list[str] = []
    (second,) = lifecycle.ensure(home, plans, lambda step, detail: told.append(detail))
    assert f"its process {first.pid} is gone; starting it again" in told
    assert second.pid != first.pid
    assert kafka_answers(ports.HOST, broker)


def test_one_that_runs_and_does_not_answer_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_ANSWER_S", 0.3)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    hung = process.spawn(command, home.log("kafka"), os.environ, home.run_dir)
    with registry.locked(home):
        listed = {"broker": ports.free()}
        registry.put(home, Entry("kafka", hung.pid, hung.started, listed, str(home.log("kafka"))))
        with pytest.raises(ServiceError, match=r"(?s)runs, but does not answer.*stormwatch down"):
            lifecycle.ensure(home, {"kafka": kafka.plan}, silent)


def test_a_start_that_fails_shows_the_end_of_the_log(home: Home) -> None:
    with socket.create_server((ports.HOST, 0)) as other:
        plans = {"kafka": partial(kafka.plan, broker=other.getsockname()[1])}
        with pytest.raises(ServiceError, match=r"(?s)kafka ended while it started.*in use") as told:
            lifecycle.ensure(home, plans, silent)
    assert "./stormwatch doctor" in str(told.value)
    assert registry.read(home) == {}
    assert of(home.run_dir) == []


def test_a_start_over_its_limit_is_ended(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cassandra, "_LIMIT_S", 0.5)
    native = ports.free()
    plans = {"cassandra": partial(cassandra.plan, native=native, storage=ports.free(native))}
    with pytest.raises(ServiceError, match=r"was not up within 0.5 s .waiting for CQL"):
        lifecycle.ensure(home, plans, silent)
    assert of(home.run_dir) == []


def test_an_interrupted_start_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from apps import services\n"
        "from stormwatch.settings import load\n"
        f"root = Path({str(ROOT)!r})\n"
        "services.up(load(root=root), root, lambda step, detail: print(step, detail, flush=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ
        | {"STORMWATCH_RUN_DIR": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stdout
        for line in child.stdout:
            if "waiting for" in line:
                assert of(tmp_path)
                os.killpg(child.pid, signal.SIGINT)
                break
        child.stdout.read()
        assert child.wait(timeout=20) != 0
    assert of(tmp_path) == []
