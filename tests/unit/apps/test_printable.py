"""Whatever stands in a record, no command lets it speak to the terminal; nor does an encoding end
a command."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from apps.cli import connect as connections
from apps.cli.__main__ import main
from apps.cli.app import complain
from apps.data.printable import lines_shown, shown
from apps.local.dev.narrator import Narrator
from apps.local.dev.once import Watch
from apps.local.dev.truth import Frauds, Machines, Spikes
from apps.local.run.present import Presenter
from apps.local.run.view import RUNNING, Panel, Screen, live
from apps.local.services import manage
from apps.local.storm.supervise import Supervisor
from apps.operate.figures import Look
from apps.prove.replay import session as replaying
from apps.prove.replay.compare import Change, Difference, Proof
from apps.prove.verdict import session as judging
from apps.prove.verdict.judge import Finding, Judgement
from stormwatch.adapters import connect
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import (
    Decision,
    DecisionRow,
    Fragment,
    LedgerRow,
    Reason,
    SetAside,
)
from stormwatch.runner.events import Died, Logged

ROOT = Path(__file__).resolve().parents[3]
NASTY = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp\r\x00\x7f"
"""A new title, a cleared screen, C1's colour, text turned round, the line overwritten."""
NOW = 1_795_252_530_000
PAYMENT = (
    '{"id":"t1","customer":"c","terminal":"x","time":"2026-11-21T00:00:00Z","amount":5,'
    '"currency":"EUR","note":"title \u202e\x9b"}'
).encode()


def row() -> DecisionRow:
    decision = Decision(
        NASTY, NASTY, 1, "decline", 0.93, (Reason(NASTY, NASTY, 0.5),), (), NASTY, NASTY, NASTY,
        "transactions", 0, 0, NOW,
    )  # fmt: skip
    body = msgspec.json.encode(decision)
    return DecisionRow(0, NASTY, 1, NASTY, "decline", 0.93, body, NOW, True)


class Archive(MemoryStore):
    """Holds the nastiest rows that there can be."""

    def __init__(self) -> None:
        super().__init__()
        aside = SetAside(
            0, NOW, "dead_lettered", "raised", f"Traceback\n {NASTY}", "parse", NASTY.encode(),
            NASTY.encode(),
        )  # fmt: skip
        ledger = LedgerRow(
            Fragment("transactions", 0, 0, 0, 0, 1, 0), "reject",
            {"dead_lettered": bitmap_of([0], 0)}, 0,
        )  # fmt: skip
        self.write_aside("fraud", [aside], ledger, 1)

    def alerts(self, domain: str, limit: int | None = None) -> Iterator[DecisionRow]:
        return iter([row()])

    def find_decisions(self, domain: str, keys: Any) -> list[DecisionRow]:
        return [row()]


@pytest.fixture
def nasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find nasty things wherever they look."""
    broker = MemoryBroker(clock=lambda: NOW)
    broker.create("transactions", 1, {})
    broker.append("transactions", NASTY.encode(), NASTY.encode(), partition=0)
    broker.append("transactions", NASTY.encode(), PAYMENT, partition=0)

    @contextmanager
    def stored(settings: Any) -> Iterator[Archive]:
        yield Archive()

    @contextmanager
    def opened(*asked: Any) -> Iterator[Any]:
        differences = [Difference(0, NASTY, NASTY, NASTY, NASTY)]
        yield SimpleNamespace(
            proof=lambda models: Proof(0, 0, 1, 0, [NASTY], 1, 0, {"scored": 1}, differences, 1),
            change=lambda model, rules: Change(
                0, 0, 1, NASTY, NASTY, 1, 1, {}, {NASTY: 1}, {NASTY: 1}, 0.0, 0.0, differences
            ),
        )

    found = [Finding("differs", "decisions", NASTY, NASTY)]
    verdict = Judgement(1, "FAIL", 1, 1, 0, 0, {"differs": 1}, found, [NASTY])
    monkeypatch.setattr(connections, "stored", stored)
    monkeypatch.setattr(manage, "expect", lambda *asked: None)  # of services: none is needed
    monkeypatch.setattr(connect, "source", lambda settings, topic: MemorySource(broker, topic))
    monkeypatch.setattr(replaying, "opened", opened)
    monkeypatch.setattr(judging, "verdict", lambda *asked: verdict)


def seen(text: str) -> None:
    """It says something, and nothing that a terminal obeys."""
    assert text.strip()
    odd = {c for c in text if not c.isprintable() and c not in "\n\t"}
    assert not odd, text
    assert "title" in text


RANGE = ["--partition", "0", "--from", "0", "--to", "1"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts", "fraud"], ["alerts", "fraud", "--json"],
        ["journey", "transactions/0/0"], ["journey", "transactions/0/1"],
        ["dlq", "list"], ["dlq", "list", "--json"],
        ["dlq", "show", "transactions/0/0/0"], ["dlq", "show", "transactions/0/0/0", "--json"],
        ["dlq", "discard", "transactions/0/0/0", "--note", NASTY],
        ["dlq", "discard", "transactions/0/0/0", "--note", NASTY, "--json"],
        ["verdict", "fraud"], ["verdict", "fraud", "--json"],
        ["replay", "fraud", *RANGE], ["replay", "fraud", *RANGE, "--json"],
        ["replay", "fraud", *RANGE, "--rules", __file__],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)  # fmt: skip
def test_no_command_lets_a_record_speak_to_the_terminal(
    nasty: None, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    said = capsys.readouterr()
    assert not said.err
    seen(said.out)


def _watch(say: Callable[[str], None]) -> None:
    watch = Watch(say)
    watch.event("fraud", Logged("parse", 1, 3, NASTY))
    watch.event("fraud", Died("parse", 1, NASTY, True))
    watch.outcomes(SimpleNamespace(decisions=[row()]))  # type: ignore[arg-type]


def _narrator(say: Callable[[str], None]) -> None:
    narrator = Narrator(say, Frauds("r"), Machines("r"), Spikes())
    narrator.event("fraud", Logged("parse", 1, 4, NASTY))
    narrator.event("fraud", Died("parse", 1, NASTY, True))


def _screen(say: Callable[[str], None]) -> None:
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=False)
    look = Look(1, 1, 1, 0, {"scored": 1}, {1: 1}, 1, 0, 0, [row()])
    console.print(live(Screen("r", RUNNING, 1.0, [Panel("fraud", look, None, 0, 1)], {}, "")))
    Presenter(console).words("fraud", NASTY)
    say(file.getvalue())


def _supervisor(say: Callable[[str], None]) -> None:
    told = SimpleNamespace(_topology=SimpleNamespace(name="fraud"))
    Supervisor._say(told, [f"Traceback\n{NASTY}"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shows", [_watch, _narrator, _screen, _supervisor, lambda say: complain(NASTY)]
)
def test_nor_does_anything_that_shows_what_runs(
    shows: Callable[[Callable[[str], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    shows(said.append)
    written = capsys.readouterr()
    seen("\n".join(said) + written.out + written.err)


@given(st.text() | st.binary())
def test_what_is_shown_is_printable_and_printable_text_is_not_changed(text: str | bytes) -> None:
    assert shown(text).isprintable()
    assert lines_shown(text).replace("\n", "").replace("\t", "").isprintable()
    if isinstance(text, str) and text.isprintable():
        assert shown(text) == text


def ascii_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments], cwd=ROOT, check=False, timeout=120,
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip


def test_every_commands_help_can_be_read_in_ascii() -> None:
    program = """
import sys, typer.main
from apps.cli.__main__ import app, main
def walk(command, words):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, [*words, name])
for words in walk(typer.main.get_command(app), []):
    try:
        main([*words, "--help"])
    except SystemExit as done:
        assert not done.code, words
print("all \\u2026")
"""
    done = ascii_process("-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("all \\u2026\n")
    assert done.stdout.count("Usage:") > 30


@pytest.mark.parametrize(
    "arguments",
    [
        ["apps.cli", "demo", "--seconds", "2", "--seed", str(Random(1).randrange(9))],
        ["apps.cli", "dev", "fraud", "--seconds", "2"],
        ["apps.cli", "publish", "transactions", "é.csv"],
        ["apps.local.storm.sparse", "--help"],
    ],
    ids=lambda arguments: arguments[1],
)
def test_commands_run_where_the_terminal_has_ascii_alone(arguments: list[str]) -> None:
    done = ascii_process("-m", *arguments)
    assert "UnicodeEncodeError" not in done.stderr + done.stdout
    assert done.returncode == (2 if "publish" in arguments else 0), done.stdout + done.stderr
