"""What commands print for programs: every command that prints data has --json, and it parses."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer.main

from apps.cli.__main__ import app, main
from stormwatch.adapters import connect
from tests.models.asked import ROOT
from tests.models.decided_payments import Decided

DATA = {
    "status", "doctor", "ledger", "config", "verdict", "replay", "evaluate", "lint", "journey",
    "explain", "alerts", "decisions", "watch", "report", "profile", "cluster status",
    "schema status", "dlq list", "dlq show", "dlq redrive", "dlq discard", "rules backtest",
    "rules show", "rules history", "rules list show", "model features", "model list",
    "model compare", "equipment list", "token list", "native status",
}  # fmt: skip
"""Commands that print data."""
ACTS = {
    "demo", "dev", "run", "serve", "up", "down", "publish", "redecide", "test", "bench", "train",
    "chaos", "soak", "new", "draw", "map", "event", "label", "export", "notify", "forget",
    "cluster up", "cluster down", "flink run", "schema apply", "schema features", "schema json",
    "land http", "land mqtt", "land pubsub", "land files", "state reset", "rules check",
    "rules push", "rules pull", "rules revert", "rules test", "rules snooze", "rules list add",
    "rules list remove", "native build", "model add", "model rows", "model push", "model promote",
    "model rollback", "equipment learn", "token add", "token revoke",
    "model show",  # it prints JSON in any case
}  # fmt: skip
"""Commands that do something, or write files, and say how it went."""


def _walked(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    below = getattr(command, "commands", {})
    for name, one in below.items():
        yield from _walked(one, (*path, name))
    if not below:
        yield " ".join(path), {o for parameter in command.params for o in parameter.opts}


def test_every_command_that_prints_data_has_json() -> None:
    """A new command stands in one of the two lists."""
    options = dict(_walked(typer.main.get_command(app)))
    assert options.keys() == DATA | ACTS and not DATA & ACTS
    assert {name for name in DATA if "--json" not in options[name]} == set()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Commands on what is stored in memory; what each prints, parsed."""
    from apps.local.services import manage

    world = Decided()
    world.store.close = lambda: None  # type: ignore[method-assign]
    before = connect.use(world.doubles())
    monkeypatch.setattr(connect, "archive", lambda settings: world.store)
    monkeypatch.setattr(manage, "expect", lambda *given: None)

    def ask(*arguments: str) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            main([*arguments, "--json"])
        told = capsys.readouterr()
        assert done.value.code in (0, 1), told.err
        assert "\x1b" not in told.out and "\r" not in told.out
        return json.loads(told.out)

    yield ask
    connect.use(before)


def test_what_is_stored_is_told_as_json(asked: Callable[..., Any]) -> None:
    alerts = asked("alerts", "fraud")
    assert len(alerts) == 4 and alerts[0]["why"]
    one = alerts[0]
    decided = asked("decisions", one["entity"])
    assert {each["id"] for each in decided} >= {each["id"] for each in alerts}
    became = asked("journey", one["record"])
    assert one["id"] in {each["id"] for each in became["decisions"]} and became["ledger"]
    (whole,) = asked("explain", one["record"])
    assert whole["decision"]["decision"]["id"] == one["id"] and "flips" in whole["cleared"]
    assert asked("report", "fraud")
    assert asked("ledger")
    assert asked("dlq", "list") is not None
    assert asked("token", "list") == []
    assert asked("rules", "history") == []


def test_what_the_settings_say_is_told_as_json(asked: Callable[..., Any]) -> None:
    rules = asked("rules", "show")
    assert {"amount", "hour"} <= set(rules["names"]) and len(rules["rules"]) > 3
    assert "turbofan" in {each["name"] for each in asked("equipment", "list")}
    assert "amount" in asked("model", "features", "fraud")
    assert asked("config")
    assert asked("native", "status")["in_use"] in (True, False)


def _started(*arguments: str) -> "subprocess.Popen[str]":
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "apps.cli", *arguments], cwd=ROOT, text=True,
        env={**environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.6, 2.0, 4.0, 8.0])
def test_ctrl_c_at_any_second_ends_the_demo_with_130(after: float) -> None:
    """Within five seconds; and what goes into a pipe has no escape codes."""
    child = _started("demo")
    time.sleep(after)
    child.send_signal(signal.SIGINT)
    began = time.monotonic()
    said = child.communicate(timeout=60)[0]
    assert child.returncode in (130, -signal.SIGINT), said
    assert time.monotonic() - began < 60 and "Traceback" not in said and "\x1b" not in said
