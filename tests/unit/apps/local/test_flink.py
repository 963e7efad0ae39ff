"""What `flink run` needs on the machine: said in a sentence where it is not there."""

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.local.flink import cluster, job, virtualenv
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, silent
from apps.local.services.process import Identity
from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.memory.world import World as Memory
from stormwatch.adapters.memory.world import doubles
from stormwatch.engines.flink import use_case
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings
from tests.models.serving import serving

PIP = """\
#!/bin/sh
# A Python that makes virtualenvs of itself, and whose pip says what a file beside it says.
here=$(dirname "$(readlink -f "$0")")
echo "$@" >> "$here/calls"
if [ "$2" = venv ]; then
  mkdir -p "$3/bin" && ln -s "$here/python3.11" "$3/bin/python"; exit
fi
cat "$here/says"
! grep -q ERROR "$here/says"
"""


class World:
    """A project, and one Python 3.11 on PATH beside our own, of a version that Flink has not."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Home.of(Settings(), root)
        self.bin = root / "bin"
        for folder in (self.bin, root / "requirements"):
            folder.mkdir()
        self.wanted = root / "requirements" / "flink.txt"
        self.wanted.write_text("apache-flink==2.3.0\n")
        self.path = self.bin / "python3.11"
        self.path.write_text(PIP)
        self.path.chmod(0o755)
        self.says("Collecting apache-flink==2.3.0\nInstalling collected packages: x")
        self.told: list[str] = []
        own = SimpleNamespace(version_info=SimpleNamespace(major=3, minor=14), executable="")
        monkeypatch.setattr(virtualenv, "sys", own)
        # Never one of this machine: that would fetch all of apache-flink.
        found = SimpleNamespace(which=self.which, rmtree=shutil.rmtree)
        monkeypatch.setattr(virtualenv, "shutil", found)

    def which(self, name: str) -> str | None:
        return str(self.bin / name) if (self.bin / name).exists() else None

    def says(self, text: str) -> None:
        (self.bin / "says").write_text(text)

    def calls(self) -> list[str]:
        path = self.bin / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def python(self) -> Path:
        return virtualenv.python(self.home, lambda step, detail: self.told.append(detail))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_the_virtualenv_is_made_once_and_anew_for_other_requirements(world: World) -> None:
    assert world.python() == world.home.run_dir / "flink" / "venv" / "bin" / "python"
    assert "collecting apache-flink==2.3.0" in world.told
    assert len(world.calls()) == 2
    world.python()
    assert len(world.calls()) == 2
    world.wanted.write_text("apache-flink==2.4.0\n")
    world.python()
    assert len(world.calls()) == 4


def test_without_a_python_that_flink_has_packages_for_it_is_said(world: World) -> None:
    world.path.unlink()
    with pytest.raises(ServiceError, match=r"This is Python 3\.14.*3\.11 and 3\.12.*start again"):
        world.python()


def test_what_pip_says_is_passed_on_and_the_next_start_tries_again(world: World) -> None:
    world.says("Collecting x\nERROR: No matching distribution found for apache-flink==2.3.0")
    with pytest.raises(ServiceError, match="No matching distribution found") as raised:
        world.python()
    assert "start again" in str(raised.value)
    world.says("")
    world.python()


def test_checkpoints_are_told_apart_by_keyspace_group_and_job(tmp_path: Path) -> None:
    home = Home.of(Settings(), tmp_path)
    places = {
        job.checkpoints(home, Settings(**chosen), name)  # type: ignore[arg-type]
        for name in ("fraud", "maintenance")
        for chosen in ({}, {"kafka_group": "other"}, {"cassandra_keyspace": "other"})
    }
    assert len(places) == 6


DEAD = Identity(1, 0.0)
"""Pid 1 did not start in 1970."""


def test_the_last_error_of_a_job_that_ended_is_told(tmp_path: Path) -> None:
    log = tmp_path / "flink-fraud.log"
    log.write_text("NOTE: x\ndeciding from the oldest record on\nerror: There is no topic 'x'.\n")
    with pytest.raises(ServiceError, match=r"^There is no topic 'x'\.$"):
        job._expect_alive(DEAD, log)
    log.write_text("Exception in thread main\n\tat java.lang.Thread\n")
    with pytest.raises(ServiceError, match="Flink's job ended:\nException in thread main\nSee"):
        job._expect_alive(DEAD, log)


def test_a_job_begins_where_its_log_says_or_is_told_to_end(tmp_path: Path) -> None:
    log = tmp_path / "flink-fraud.log"
    assert job._begun(DEAD, log, silent, lambda seconds: True) == ""
    log.write_text("NOTE: x\ndeciding from /cp/chk-3\n")
    assert job._begun(DEAD, log, silent, lambda seconds: False) == "/cp/chk-3"


def test_once_waits_for_the_last_record_and_for_no_marker_behind_it() -> None:
    settings = Settings(kafka_client="memory", store="memory")
    kafka = Memory(MemoryBroker(default_partitions=3), MemoryStore())
    topic = settings.topic_transactions
    kafka.broker.create(topic, 3, {})
    for partition in (0, 0, 0, 1, 1):
        kafka.broker.append(topic, None, b"{}", partition)
    kafka.broker.skip(topic, 0, 2)
    kafka.broker.skip(topic, 2, 1)
    before = connect.use(doubles(kafka))
    try:
        assert job._ends(settings, topic) == {0: (0, 3), 1: (0, 2), 2: (0, 0)}
    finally:
        connect.use(before)


class Cluster(HTTPServer):
    """The REST of a JobManager: answers by path."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _Answering)
        self.address = f"127.0.0.1:{self.server_port}"

    def has(self, slots: int, **jobs: str) -> None:
        listed = [{"jid": "j1", "name": name, "state": state} for name, state in jobs.items()]
        self.answers["/jobs/overview"] = json.dumps({"jobs": listed}).encode()
        self.answers["/overview"] = json.dumps({"slots-available": slots}).encode()


class _Answering(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        body = self.server.answers.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def flink() -> Iterator[Cluster]:
    made = Cluster()
    with serving(made):
        yield made


def asked(flink: Cluster, job: str, tasks: int) -> bool:
    return cluster.await_room(flink.address, job, tasks, silent, lambda _: False)


def test_a_cluster_with_room_takes_a_job_that_it_has_not(flink: Cluster) -> None:
    flink.has(2, mine="CANCELED", other="RUNNING")
    assert asked(flink, "mine", 2)


def test_a_cluster_that_was_just_started_is_waited_for(flink: Cluster) -> None:
    told: list[str] = []

    def pause(_: float) -> bool:
        flink.has(len(told))
        return False

    tell = lambda _, detail: told.append(detail)  # noqa: E731
    assert cluster.await_room(flink.address, "mine", 2, tell, pause)
    assert len(told) == 2 and "waiting for the cluster" in told[0]
    flink.has(0)
    assert not cluster.await_room(flink.address, "mine", 1, silent, lambda _: True)


def test_what_a_cluster_cannot_take_is_said_with_the_next_step(
    flink: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "START_LIMIT_S", 0.0)
    flink.has(2, mine="RESTARTING")
    with pytest.raises(ServiceError, match=r"already \(j1, restarting\).*Cancel it at http"):
        asked(flink, "mine", 1)
    with pytest.raises(ServiceError, match=r"has 2 free slots, and the job needs 3\. Start"):
        asked(flink, "another", 3)


def test_what_is_no_cluster_is_said(flink: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "START_LIMIT_S", 0.0)
    for body in (b"<html>", b"[]", None):
        flink.answers = {} if body is None else {"/jobs/overview": body}
        with pytest.raises(ServiceError, match=r"no Flink cluster|No Flink cluster answers"):
            asked(flink, "mine", 1)
    for wrong in ("localhost", "8081", ":8081", "localhost:http"):
        with pytest.raises(SettingsError, match="HOST:PORT"):
            cluster.checked(wrong)


def test_who_would_write_the_same_rows_has_the_same_name_of_job() -> None:
    named = [
        use_case.job_name(Settings(**chosen), name)  # type: ignore[arg-type]
        for name in ("fraud", "maintenance")
        for chosen in ({}, {"kafka_group": "other"}, {"cassandra_keyspace": "other"})
    ]
    assert len(set(named)) == 6
