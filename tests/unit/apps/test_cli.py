"""Manners of the command line: help, usage errors, settings, JSON, and exit codes."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer.main

from apps.cli import app as shared
from apps.cli.__main__ import app, main
from apps.cli.groups import GROUPS
from apps.local.services import manage, ports
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.addresses import Address

ROOT = Path(__file__).resolve().parents[3]


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of each command and group, from the root's, ()."""
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


COMMANDS = list(_commands(typer.main.get_command(app)))


def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("STORMWATCH_", "NO_COLOR"))}
    return subprocess.run(
        [sys.executable, "-m", "apps.cli", *arguments],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "COLUMNS": "200", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_eighty_columns_and_has_an_example(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as done:
        main([*command, "--help"])
    assert done.value.code == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert f"Usage: {' '.join(['./stormwatch', *command])}" in said
    assert "Examples:" in said or not command
    assert "\x1b" not in said


def test_every_command_stands_in_one_group_of_the_help() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    text = call("--help").stdout
    assert [line[:-1] for line in text.splitlines() if line[:-1] in GROUPS] == list(GROUPS)


def test_help_loads_nothing_heavy() -> None:
    """Half a second of imports would be felt at each --help."""
    code = """
import sys
from apps.cli.__main__ import app, main
try:
    main(["--help"])
except SystemExit:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}, check=True,
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    heavy = {"cassandra", "confluent_kafka", "kafka", "lightgbm", "numpy", "pandas", "psutil"}
    assert not loaded & (heavy | {"streamparse", "pystorm", "fabric", "paramiko", "msgspec"})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--secnds", "3"], "--seconds"),
        (["rn"], "'run'"),
        (["run", "--seconds", "soon"], "--seconds"),
        (["run", "--rate", "-1"], "--rate"),
        (["publish", "nothing"], "transactions"),
        (["publish", "transactions", "no-such-file.csv"], "no-such-file.csv"),
        (["run", "--topology", "frod"], "Choose one of: fraud, maintenance"),
        (["run", "--report", "no/such/folder/r.json"], "no/such/folder"),
    ],
)
def test_wrong_usage_is_told_with_what_is_right(arguments: list[str], expected: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_wrong_setting_names_its_key_and_ends_with_2() -> None:
    done = call("config", STORMWATCH_KAFKA_PARTITIONS="many")
    assert done.returncode == 2
    assert done.stderr == (
        "error: kafka.partitions (from STORMWATCH_KAFKA_PARTITIONS) is 'many'; "
        "it must be a whole number.\n"
    )


def test_config_tells_values_and_sources_and_masks_secrets() -> None:
    environ = {"STORMWATCH_CASSANDRA_PASSWORD": "hunter2", "STORMWATCH_CACHE_MB": "32"}
    done = call("config", "--json", **environ)
    values = {value["key"]: value for value in json.loads(done.stdout)}
    assert values["cache_mb"]["value"] == 32
    assert values["cache_mb"]["source"] == "STORMWATCH_CACHE_MB"
    assert values["cache_mb"]["variable"] == "STORMWATCH_CACHE_MB"
    assert values["cassandra.password"]["value"] == "********"
    shown = call("config", **environ)
    assert "hunter2" not in done.stdout + shown.stdout
    assert "STORMWATCH_CACHE_MB" in shown.stdout


def test_status_of_a_machine_where_nothing_runs(tmp_path: Path) -> None:
    run_dir = {"STORMWATCH_RUN_DIR": str(tmp_path)}
    states = {s["name"]: s["state"] for s in json.loads(call("status", "--json", **run_dir).stdout)}
    assert states["kafka"] == states["cassandra"] == "stopped"
    done = call("down", **run_dir)
    assert (done.returncode, done.stdout) == (0, "Nothing was running.\n")


def test_services_that_are_named_and_absent_are_an_error_with_a_next_step(tmp_path: Path) -> None:
    done = call(
        "run", "--seconds", "1",
        STORMWATCH_RUN_DIR=str(tmp_path), STORMWATCH_KAFKA_BOOTSTRAP="127.0.0.1:1",
    )  # fmt: skip
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "STORMWATCH_KAFKA_BOOTSTRAP" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_benchmark_is_told_which_there_are() -> None:
    done = call("bench", "nothing")
    assert done.returncode == 1
    assert "bare_loop" in done.stderr
    assert "bare_loop" in call("bench", "--list").stdout


def test_no_color_is_respected_on_a_terminal() -> None:
    def on_terminal(**environ: str) -> bytes:
        leader, follower = pty.openpty()
        subprocess.run(
            [sys.executable, "-m", "apps.cli", "bench", "nothing"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", **environ},
            stdin=follower, stdout=follower, stderr=follower,
            timeout=60, check=False,
        )  # fmt: skip
        os.close(follower)
        said = os.read(leader, 65_536)
        os.close(leader)
        return said

    assert b"\x1b[31merror:" in on_terminal(NO_COLOR="")
    assert b"\x1b" not in on_terminal(NO_COLOR="1")


@pytest.mark.parametrize("command", [
    ["verdict"], ["replay", "--partition", "0", "--from", "0", "--to", "9"],
], ids=lambda command: command[0])  # fmt: skip
@pytest.mark.parametrize(("name", "instead"), [
    ("social", "`./stormwatch ledger --topic posts`"),
    ("recommend", "`./stormwatch ledger --topic behaviour --verify`"),
])  # fmt: skip
def test_what_partitions_share_is_not_provable_and_says_what_to_use(
    command: list[str], name: str, instead: str
) -> None:
    done = call(command[0], name, *command[1:])
    assert done.returncode == 2, done.stderr
    said = " ".join(done.stderr.split())
    assert f"{name} is not provable: partitions share keys" in said and instead in said
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in said


def unasked(*_: object) -> NoReturn:
    """A client would wait for what is not there."""
    pytest.fail("a client was made although nothing listens")


@pytest.mark.parametrize(
    "argv",
    [["alerts"], ["journey", "transactions/0/1"], ["ledger"], ["publish", "transactions"],
     ["dlq", "list"], ["dlq", "redrive", "transactions/0/1"], ["schema", "status"],
     ["schema", "apply"], ["verdict", "fraud"],
     ["replay", "fraud", "--partition", "0", "--from", "0", "--to", "1"],
     ["chaos", "kill-bolt", "--live"]],
)  # fmt: skip
def test_with_services_down_each_command_names_up_at_once(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(shared, "ROOT", tmp_path)
    monkeypatch.setenv("STORMWATCH_RUN_DIR", str(tmp_path))
    default = Address("127.0.0.1", ports.free())
    monkeypatch.setattr(manage, "_addresses", lambda *_: [default])
    before = connect.use(connect.Doubles(unasked, unasked, unasked, unasked))
    monkeypatch.setattr(cassandra, "connect", unasked)
    try:
        assert main(argv) == 1
    finally:
        connect.use(before)
    said = capsys.readouterr().err
    assert f"is not running: nothing listens at {default}" in said
    assert "`./stormwatch up`" in said


def test_a_service_that_the_settings_name_is_told_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shared, "ROOT", tmp_path)
    monkeypatch.setenv("STORMWATCH_KAFKA_BOOTSTRAP", f"127.0.0.1:{ports.free()}")
    assert main(["publish", "transactions"]) == 1
    assert (
        "(from STORMWATCH_KAFKA_BOOTSTRAP) does not accept connections" in capsys.readouterr().err
    )
