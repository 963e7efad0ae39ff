"""What `sparse` passes on to streamparse ends in a sentence that names what to use."""

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import streamparse.bootstrap
from streamparse.thrift import storm_thrift as thrift
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TFramedTransportFactory, TTransportException

from apps.local.storm import sparse
from apps.local.storm.passed_through import (
    cannot_work,
    environments,
    in_words,
    print_topologies,
    with_environment,
)

ROOT = Path(__file__).parents[4]
OURS = environments(ROOT)
NOT_ALIVE = thrift.NotAliveException(msg="nope is not alive")
ALIVE = thrift.AlreadyAliveException(msg="fraud is already alive")
NAME = ValueError("Nimbus says fraud is an invalid name for a Storm topology.")
REFUSED = requests.ConnectionError("HTTPConnectionPool(host='127.0.0.1', port=8080)")


def test_an_environment_is_given_only_where_the_project_has_it() -> None:
    """`sparse quickstart` makes a project with one: streamparse takes that."""
    template = Path(streamparse.bootstrap.__file__).parent / "project" / "config.jinja2.json"
    fresh = json.loads(template.read_text())["envs"]
    assert "local" not in fresh
    for command in ("run", "submit", "kill", "list"):
        assert with_environment([command, "-n", "wordcount"], fresh) == [command, "-n", "wordcount"]
    assert with_environment(["run"], OURS) == ["run", "-e", "local"]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"envs": []}'])
def test_a_config_that_cannot_be_read_is_streamparses_to_refuse(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert environments(tmp_path) == {}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["visualize", "-n", "fraud"], "./stormwatch draw NAME"),
        (["tail", "-e", "cluster", "-n", "fraud"], "workers-artifacts/ID/PORT/worker.log"),
        (["remove_logs", "--environment=cluster", "-n", "fraud"], "bounded in size"),
        (["update_virtualenv", "-e", "local"], "they use .venv"),
        (["tail", "-e", "production", "-n", "fraud"], ""),
        (["list", "-e", "cluster"], ""),
        ([], ""),
    ],
)
def test_what_can_do_nothing_here_says_what_does(argv: list[str], says: str) -> None:
    told = cannot_work(argv, OURS)
    assert says in told
    assert bool(told) == bool(says)


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        ("stats", REFUSED, "./stormwatch cluster status"),
        ("worker_uptime", KeyError("topologies"), "./stormwatch cluster status"),
        ("slot_usage", RuntimeError("bad response"), "./stormwatch cluster status"),
        ("kill", NOT_ALIVE, "sparse list"),
        ("submit", ALIVE, "fraud is already alive"),
        ("submit", NAME, "sparse submit --force"),
        ("submit", thrift.InvalidTopologyException(msg="no bolt"), "refuses it: no bolt."),
        ("kill", thrift.AuthorizationException(msg="not yours"), "refuses it: not yours."),
        ("list", TApplicationException(1, "unknown method"), "refuses it: unknown method."),
        ("list", TTransportException(message="Could not connect"), "./stormwatch cluster up"),
        ("list", TimeoutError("timed out"), "./stormwatch cluster status"),
        ("list", OSError('Unable to open ssh tunnel via: "ssh …"'), "config.json"),
    ],
)
def test_an_exception_is_one_sentence_with_what_to_do(command, error, says) -> None:
    told = in_words(command, error)
    assert told is not None
    assert says in told
    assert "\n" not in told


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), AssertionError("x")])
def test_a_fault_of_ours_keeps_its_traceback(error: Exception) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(type(error)):
        sparse.handed_over(fails, "submit")


def test_a_nimbus_that_hangs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        nimbus = make_client(
            thrift.Nimbus, "127.0.0.1", port, proto_factory=TBinaryProtocolFactory(),
            trans_factory=TFramedTransportFactory(), timeout=100,
        )  # fmt: skip
        with closing(nimbus):
            assert sparse.handed_over(nimbus.getClusterInfo, "list") == 1
    said = capsys.readouterr().err
    assert said.startswith("sparse: Nimbus does not answer: ")
    assert said.count("\n") == 1


def test_the_list_is_as_wide_as_what_is_in_it() -> None:
    def one(name: str, **more: Any) -> SimpleNamespace:
        counts = {"num_workers": 1, "num_executors": 5, "num_tasks": 5, "uptime_secs": 3600}
        return SimpleNamespace(
            name=name,
            id=f"{name}-1-1796007891",
            status="ACTIVE",
            **counts,
            **{"owner": None} | more,
        )

    said: list[str] = []
    print_topologies([one("fraud"), one("maintenance-of-the-fleet", owner="storm")], said.append)
    assert [line.split() for line in said] == [
        ["name", "status", "uptime_s", "workers", "executors", "tasks", "owner", "id"],
        ["fraud", "ACTIVE", "3600", "1", "5", "5", "-", "fraud-1-1796007891"],
        [
            "maintenance-of-the-fleet", "ACTIVE", "3600", "1", "5", "5", "storm",
            "maintenance-of-the-fleet-1-1796007891",
        ],
    ]  # fmt: skip
    assert len({line.index("A") for line in said[1:]}) == 1
    said.clear()
    print_topologies([], said.append)
    assert said == ["No topology runs."]


def test_a_foreign_file_in_the_scratch_folder_is_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", ".DS_Store", "-x", "12", "99999999999999999999-x"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "999999999-dead").mkdir()
    (tmp_path / f"{os.getpid()}-alive").mkdir()
    sparse._sweep(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        "notes.txt", ".DS_Store", "-x", "12", "99999999999999999999-x", f"{os.getpid()}-alive",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stats"], "asks Storm's UI"),
        (["tail", "-n", "fraud"], "over SSH"),
        (["visualize", "-n", "fraud"], "./stormwatch draw"),
        (["list"], "Nimbus does not answer"),
    ],
)
def test_sparse_itself_says_it_in_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # nobody listens there once it is closed
    config = json.loads((ROOT / "config.json").read_text())
    config["envs"]["cluster"] |= {"nimbus": f"127.0.0.1:{port}", "ui.port": port}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "project.clj").write_text((ROOT / "project.clj").read_text())
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "fraud.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "apps.local.storm.sparse", *arguments], cwd=tmp_path, check=False,
        capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    said = [line for line in done.stderr.splitlines() if not re.match("sparse: this is the", line)]
    assert len(said) == 1, done.stderr
    assert said[0].startswith("sparse: ")
    assert says in said[0]
