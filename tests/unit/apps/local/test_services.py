"""Services without starting any: what is read, recorded, recognised and refused."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from thriftpy2.rpc import make_client

from apps.local.doctor import examine
from apps.local.services import cluster, manage, ports, process, registry, storm, workers
from apps.local.services.errors import ServiceError
from apps.local.services.health import cassandra_answers, kafka_answers, listens, zookeeper_answers
from apps.local.services.home import Home, private, set_aside, silent
from apps.local.services.plan import ServicePlan, start, wait
from apps.local.services.registry import Entry
from apps.local.storm import sparse
from apps.local.storm.passed_through import with_environment
from stormwatch.settings import Settings, load

CLJ = '(defproject x "1"\n :dependencies [[org.apache.storm/storm-core "2.8.3"]])\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "project.clj").write_text(CLJ)
    (tmp_path / "constraints.txt").write_text("psutil==0.0.1\nnothing-like-it==1\n")
    return Home.of(Settings(), tmp_path)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        yield child
        child.kill()


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def entry(pid: int, started: float, **settings: str | int) -> Entry:
    return Entry("kafka", pid, started, {"broker": 1}, "kafka.log", settings)


# Java


@pytest.mark.parametrize("command", ["run", "submit"])
def test_sparse_refuses_to_start_without_java(
    home: Home,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(home.root)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["sparse", command, "-n", "fraud"])
    assert sparse.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("sparse: There is no `java` on PATH. Install Java (Debian 12")


def test_sparse_tells_that_no_nimbus_answers(capsys: pytest.CaptureFixture[str]) -> None:
    def submit() -> None:
        make_client(None, "127.0.0.1", 1)

    assert sparse.handed_over(submit, "submit") == 1
    said = capsys.readouterr().err
    assert "Nimbus does not answer" in said
    assert "./stormwatch cluster up" in said


# Ports and health


def test_a_taken_default_gives_way_to_a_free_port(listener: int) -> None:
    assert not ports.is_free(listener)
    other = ports.free(listener)
    assert other != listener
    assert ports.is_free(other)
    assert ports.free(other) == other
    assert ports.free(other, taken=[other]) != other


def test_a_listener_that_says_nothing_is_not_healthy(listener: int) -> None:
    assert listens(ports.HOST, listener)
    free = ports.free()
    assert not listens(ports.HOST, free)
    for answers in (kafka_answers, cassandra_answers, zookeeper_answers):
        assert not answers(ports.HOST, free)


# Processes and their record


def test_a_process_is_recognised_by_pid_and_age(sleeper: "subprocess.Popen[bytes]") -> None:
    import psutil

    started = psutil.Process(sleeper.pid).create_time()
    assert process.find(process.Identity(sleeper.pid, started)) is not None
    assert process.find(process.Identity(sleeper.pid, started - 60)) is None, "a reused pid"
    sleeper.kill()
    sleeper.wait()
    assert process.find(process.Identity(sleeper.pid, started)) is None


def test_a_process_that_ignores_sigterm_is_killed_late(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('deaf', flush=True); time.sleep(60)"
    )
    log = tmp_path / "deaf.log"
    identity = process.spawn([sys.executable, "-c", code], log, os.environ, tmp_path)
    while "deaf" not in log.read_text():
        assert process.find(identity)
    process.stop([identity], grace_s=0.2)
    assert process.find(identity) is None


def test_spawned_processes_have_a_session_of_their_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    identity = process.spawn(command, tmp_path / "a.log", os.environ, tmp_path)
    assert os.getsid(identity.pid) == identity.pid
    process.stop([identity])


def test_registry_feeds_the_settings(home: Home) -> None:
    with registry.locked(home):
        registry.put(home, entry(1, 0.0, **{"kafka.bootstrap": "127.0.0.1:29092"}))
    assert load({}, root=home.root).kafka_bootstrap == "127.0.0.1:29092"
    assert registry.read(home)["kafka"].pid == 1
    registry.remove(home, "kafka")
    assert not home.registry.exists()


def test_a_damaged_registry_is_named(home: Home) -> None:
    home.run_dir.mkdir()
    home.registry.write_text(json.dumps({"settings": {}}))
    with pytest.raises(ServiceError, match="services.json cannot be read"):
        registry.read(home)


def test_a_stale_pid_is_recognised_and_forgotten(
    home: Home, sleeper: "subprocess.Popen[bytes]"
) -> None:
    with registry.locked(home):
        registry.put(home, entry(sleeper.pid, 1.0))
    settings = load({}, root=home.root)
    (kafka,) = [s for s in manage.status(home.root, settings) if s.name == "kafka"]
    assert kafka.state == "stale"
    assert manage.down(home.root, silent, settings) == []
    assert sleeper.poll() is None, "a stranger with the pid is left alone"
    assert not home.registry.exists()


# Services that the settings name


def test_a_named_service_that_does_not_answer_is_an_error(home: Home) -> None:
    port = ports.free()
    environ = {
        "STORMWATCH_KAFKA_BOOTSTRAP": f"127.0.0.1:{port}",
        "STORMWATCH_CASSANDRA_PORT": "1",
    }
    with pytest.raises(ServiceError, match=rf"{port} \(from STORMWATCH_KAFKA_BOOTSTRAP\)"):
        manage.up(load(environ, root=home.root), home.root, silent, environ)
    assert not home.registry.exists()


def test_named_services_are_used_and_nothing_is_started(home: Home, listener: int) -> None:
    (home.root / "stormwatch.toml").write_text(
        f'[kafka]\nbootstrap = "127.0.0.1:{listener}"\n[cassandra]\nport = {listener}\n'
    )
    settings = load({}, root=home.root)
    assert manage.up(settings, home.root, silent, {}) == settings
    assert not home.registry.exists()
    assert {s.state for s in manage.status(home.root, settings)} == {"external"}


def test_an_address_is_judged_by_the_settings_and_all_of_its_hosts_are_tried(
    home: Home, listener: int
) -> None:
    environ = {"STORMWATCH_KAFKA_BOOTSTRAP": f"127.0.0.1:1, PLAINTEXT://127.0.0.1:{listener}"}
    manage.reachable("kafka", load(environ, root=home.root), home.root, environ)
    environ = {"STORMWATCH_KAFKA_BOOTSTRAP": "127.0.0.1:1,[::1]:1"}
    with pytest.raises(ServiceError, match=r"127.0.0.1:1,\[::1\]:1 .* does not accept"):
        manage.reachable("kafka", load(environ, root=home.root), home.root, environ)


# Doctor and sparse


def test_doctor_says_what_is_wrong_and_what_to_do(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry.locked(home):
        registry.put(home, entry(2**22 - 1, 1.0))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    findings = {f.check: f for f in examine(load({}, root=home.root), home.root)}
    assert findings["Java"].level == "fail"
    assert "Install Java" in findings["Java"].detail
    assert findings["kafka"].level == "warn"
    assert "./stormwatch up" in findings["kafka"].next
    assert findings["packages"].level == "warn"
    assert "psutil" in findings["packages"].what
    assert findings["Storm"].ok
    assert findings["disk"].level in ("ok", "warn")


def test_doctor_tells_of_settings_that_will_hurt_later(home: Home) -> None:
    short = load({"STORMWATCH_TTL_STATES_D": "3"}, root=home.root)
    found = [f for f in examine(short, home.root) if f.check == "retention"]
    assert [f.level for f in found] == ["warn"]
    assert "ttl.states_d is 3" in found[0].what


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["run", "-n", "fraud"], ["run", "-e", "local", "-n", "fraud"]),
        (["submit", "-n", "fraud"], ["submit", "-e", "cluster", "-n", "fraud"]),
        (["kill", "-n", "x"], ["kill", "-e", "cluster", "-n", "x"]),
        (["run", "-e", "production"], ["run", "-e", "production"]),
        (["submit", "--environment=production"], ["submit", "--environment=production"]),
        (["run", "--help"], ["run", "--help"]),
        (["jar"], ["jar"]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)
def test_sparse_has_an_environment_when_none_is_given(given: list[str], wanted: list[str]) -> None:
    assert with_environment(given, {"local": {}, "cluster": {}, "production": {}}) == wanted


def test_another_program_on_the_port_does_not_answer_for_ours(home: Home, listener: int) -> None:
    ours = ServicePlan(
        name="kafka",
        command=[sys.executable, "-c", "raise SystemExit('Address already in use')"],
        ports={"broker": listener},
        ready=lambda: listens(ports.HOST, listener),
        waiting_for="its port",
        limit_s=20,
    )
    told: list[str] = []
    home.run_dir.mkdir(parents=True)
    with pytest.raises(ServiceError, match=r"(?s)kafka ended while it started.*already in use"):
        wait(home, [(ours, start(home, ours))], lambda step, detail: told.append(detail))
    assert not any("ready" in detail for detail in told)


def test_a_port_that_ours_holds_is_its_own(listener: int) -> None:
    assert not ports.held_by_another(listener, os.getpid())
    assert ports.held_by_another(listener, os.getpid() + 1)


# What was running keeps its ports


def test_a_killed_service_comes_back_on_the_port_it_had(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def tell(step: str, detail: str) -> None:
        told.append(detail)

    before = ports.free()
    assert ports.same_as_before(before, 9092, "kafka", tell) == before
    assert not told
    with socket.create_server((ports.HOST, before)):
        other = ports.same_as_before(before, 9092, "kafka", tell)
    assert other != before
    assert f"port {before} is taken by another program by now; using {other}" in told[0]
    assert "sparse kill -n NAME" in told[0]
    assert "./stormwatch down" in told[0]


def test_the_ports_of_a_service_are_known_until_it_is_stopped(home: Home) -> None:
    assert registry.ports(home, "kafka") == {}
    with registry.locked(home):
        registry.put(home, entry(2**22 - 1, 1.0))
        assert registry.ports(home, "kafka") == {"broker": 1}
        assert not registry.running(home, "kafka")
        manage.halt(home, ["kafka"], silent)
    assert registry.ports(home, "kafka") == {}


@pytest.mark.parametrize(
    ("name", "command"), [("supervisor", "./stormwatch cluster up"), ("kafka", "./stormwatch up")]
)
def test_a_killed_process_is_told_with_the_command_that_starts_it(
    home: Home, name: str, command: str
) -> None:
    with registry.locked(home):
        registry.put(home, dataclasses.replace(entry(2**22 - 1, 1.0), name=name))
    found = next(s for s in manage.status(home.root, Settings()) if s.name == name)
    assert found.state == "stale"
    assert f"does not come back by itself: `{command}`" in found.detail
    finding = next(f for f in examine(Settings(), home.root) if f.check == name)
    assert f"`{command}`" in finding.next
    if name == "supervisor":
        assert any(command in line for line in cluster.status(home.root, Settings()))


@pytest.fixture
def worker(home: Home) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that looks like a worker whose supervisor was killed."""
    told = [f"-Dstorm.home={home.storm}", "org.apache.storm.daemon.worker.Worker"]
    told += ["fraud-1-1795000000", "supervisor-id", "6628", "6701", "worker-id"]
    code = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, *told]) as child:
        while not workers.running(home):
            assert child.poll() is None
        yield child
        child.kill()


def test_a_worker_that_nobody_looks_after_is_told_and_ended_with_the_cluster(
    home: Home, worker: "subprocess.Popen[bytes]"
) -> None:
    assert workers.running(home) == [workers.Worker("fraud", 6701)]
    lines = cluster.status(home.root, Settings())
    assert any("topology fraud: 1 worker running, though no Nimbus" in line for line in lines)
    blob = home.storm / "local" / "blobs" / "17" / "data_fraud-1-1795000000-stormcode.ser"
    blob.mkdir(parents=True)
    told: list[str] = []
    stopped = cluster.down(home.root, lambda step, detail: told.append(detail), Settings())
    assert stopped == ["the workers of fraud"]
    worker.wait(timeout=5)
    assert any("fraud: the next `./stormwatch cluster up` runs that again" in t for t in told)


def test_down_finds_a_worker_that_nobody_looks_after(
    home: Home, worker: "subprocess.Popen[bytes]"
) -> None:
    assert manage.down(home.root, silent, Settings()) == ["the workers of fraud"]
    worker.wait(timeout=5)


def test_a_failed_start_of_the_cluster_ends_no_worker(
    home: Home, worker: "subprocess.Popen[bytes]"
) -> None:
    with registry.locked(home):
        manage.halt(home, list(storm.ALL), silent, topologies=False)
    assert worker.poll() is None


def test_a_supervisor_gets_back_the_slots_that_its_workers_hold(
    home: Home, worker: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storm.jars, "classpath", lambda *_: [])
    with socket.create_server((ports.HOST, 0)) as held:  # as the worker does
        slot = held.getsockname()[1]
        found = [workers.Worker("fraud", slot)]
        monkeypatch.setattr(storm.workers, "running", lambda _: found)
        had = dataclasses.replace(entry(1, 1.0), name="supervisor")
        had = dataclasses.replace(had, ports={"thrift": ports.free(), "slot0": slot})
        with registry.locked(home):
            registry.put(home, had)
            own, slots = storm._write(home, 2181, 6627, silent)
        assert (own, slots[0]) == (had.ports["thrift"], slot)
        found.clear()  # another program has it
        assert slot not in storm._write(home, 2181, 6627, silent)[1]


def test_a_zookeeper_that_would_move_under_a_nimbus_is_refused_with_what_helps(
    home: Home, sleeper: "subprocess.Popen[bytes]"
) -> None:
    import psutil

    started = psutil.Process(sleeper.pid).create_time()
    with socket.create_server((ports.HOST, 0)) as other, registry.locked(home):
        taken = other.getsockname()[1]
        gone = dataclasses.replace(entry(2**22 - 1, 1.0), name="zookeeper")
        registry.put(home, dataclasses.replace(gone, ports={"client": taken}))
        registry.put(home, dataclasses.replace(entry(sleeper.pid, started), name="nimbus"))
        with pytest.raises(ServiceError, match=rf"port {taken} is taken.*nimbus look.*cluster"):
            storm.zookeeper(home, silent)


def test_the_run_directory_is_its_owners_alone(tmp_path: Path) -> None:
    fresh = tmp_path / "new" / "elsewhere"
    private(fresh)
    assert fresh.stat().st_mode & 0o777 == 0o700
    older = tmp_path / Settings().run_dir
    older.mkdir(mode=0o755)
    private(older)
    assert older.stat().st_mode & 0o777 == 0o700
    named = tmp_path / "data"
    named.mkdir(mode=0o755)
    private(named)
    assert named.stat().st_mode & 0o777 == 0o755, "a folder of somebody's own"


def test_what_a_service_writes_is_its_owners_alone(tmp_path: Path) -> None:
    made, log = tmp_path / "made", tmp_path / "logs" / "s.log"
    child = process.spawn(["touch", str(made)], log, os.environ, tmp_path)
    while process.find(child):
        time.sleep(0.01)
    assert made.stat().st_mode & 0o077 == 0


def test_logs_of_some_runs_are_kept_so_that_the_first_cause_is(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    for run in range(9):
        set_aside(log)
        log.write_text(f"run {run}")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"kafka.log": "run 8", "kafka.log.old": "run 7"} | {
        f"kafka.log.old.{n}": f"run {8 - n}" for n in range(2, 6)
    }
