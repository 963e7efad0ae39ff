"""The screen of `watch`: what keys do, what is shown, and that records stay text."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rich.console import Console

from apps.cli import connect as connections
from apps.cli.__main__ import main
from apps.serve import answers
from apps.serve.screen import View, pressed, screen, why
from stormwatch.records import Reason
from tests.models.decided_payments import Decided

NASTY = "\x1b]0;title\x07\x1b[2J\u202e"
LATENCY = answers.Latency(19, 30, 44, 60)


def alert(i: int, domain: str = "fraud", entity: str = "") -> answers.Summary:
    return answers.Summary(
        domain, entity or f"C{i}", f"t{i}", i, "decline", 0.97, True, [Reason("a", f"why {i}", 1)],
        False, 1_796_044_636_884 + i, f"transactions/0/{i}",
    )  # fmt: skip


def now(alerts: list[answers.Summary], trouble: str = "") -> answers.Now:
    figures = answers.Figures(
        "fraud", 2_014.0, 2_000.0, LATENCY, 7, len(alerts), 90_000, 0, {"scored": 90_000},
        {"bad_time": 41}, {}, None, None, {}, {}, True,
    )  # fmt: skip
    return answers.Now(
        answers.Rates(1_796_044_636_884, [figures]), answers.Alerts(alerts), answers.Ledgers([]),
        answers.Trouble(trouble, 1_796_044_600_000 if trouble else 0),
    )  # fmt: skip


def text(state: answers.Now, view: View) -> str:
    out = io.StringIO()
    console = Console(file=out, width=140, height=40)
    console.print(screen(state, state.alerts.alerts, view, 40))
    return out.getvalue()


def test_what_a_person_wants_first_stands_first() -> None:
    shown = text(now([alert(1), alert(2, "maintenance")]), View())
    first = shown.splitlines()[0]
    assert first.startswith("✓") and "all is well" in first
    for told in ("2,014/s", "19 ms", "44 ms", "41", "decline", "C1", "why 2"):
        assert told in shown
    assert "Kafka is away" in text(now([], "Kafka is away"), View()).splitlines()[0]


def test_a_record_does_not_speak_to_the_terminal() -> None:
    state = now([alert(1, entity=NASTY)])
    shown = text(state, View(why=True))
    assert "title" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_keys_choose_hold_filter_and_leave() -> None:
    view: Any = View()
    for key, field, value in (
        ("j", "chosen", 1), ("\x1b[B", "chosen", 2), ("j", "chosen", 2), ("k", "chosen", 1),
        ("\r", "why", True), ("f", "domain", "fraud"), ("f", "domain", "maintenance"),
        ("f", "domain", ""), ("p", "held", False), ("?", "help", True), ("x", "help", True),
    ):  # fmt: skip
        view = pressed(view, key, ["fraud", "maintenance"], 3)
        assert getattr(view, field) == value, key
    assert pressed(view, "q", [], 0) is None


def run(arguments: list[str]) -> object:
    try:
        return main(arguments)
    except SystemExit as left:
        return left.code or 0


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Decided:
    world = Decided()

    @contextmanager
    def stored(settings: Any) -> Iterator[Any]:
        yield world.store

    monkeypatch.setattr(connections, "stored", stored)
    return world


def test_decisions_of_a_customer(archive: Decided, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["decisions", "C1", "--limit", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and lines[0].startswith("! 2010-01-01 00:00:27Z fraud")
    assert "at night; small" in lines[0] and "transactions/0/27  t27" in lines[1]
    assert run(["decisions", "C1", "--limit", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(d["entity"], d["id"]) for d in told] == [("C1", "t27"), ("C1", "t24")]


def test_of_a_stranger_nothing_is_known(
    archive: Decided, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["decisions", "nobody\x1b[2J"]) == 1
    told = capsys.readouterr().err
    assert "Nothing was decided of nobody\\x1b[2J" in told and "./stormwatch alerts" in told


def test_times_in_reasons_are_of_this_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        one = alert(1, "maintenance")
        one.reasons = [Reason("w", "open since 2026-11-30T12:00:00+00:00: so")]
        assert why(one) == "open since 2026-11-30 17:30: so"
    finally:
        monkeypatch.undo()
        time.tzset()
