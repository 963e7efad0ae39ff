"""A day's report: its figures are those of the rows; the file needs nothing and obeys nobody."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from apps.cli import connect as connections
from apps.cli.__main__ import main
from apps.operate.report import DAY_MS, report
from apps.operate.report_page import page
from tests.models.decided_payments import SETTINGS, T0, TOPIC, Decided

DAY = T0 // DAY_MS


def run(arguments: list[str]) -> object:
    try:
        return main(arguments)
    except SystemExit as left:
        return left.code or 0


class Tags(HTMLParser):
    """Collects what is markup."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_figures_are_those_of_the_day_alone() -> None:
    world = Decided()
    made = report(SETTINGS, world.admin, world.store, "fraud", DAY, [TOPIC])
    assert (made.decided, made.outcomes) == (30, {"approve": 26, "decline": 4})
    assert made.by_hour[0] == (30, 4) and sum(n for n, _ in made.by_hour) == 30
    assert [row.id for row in made.worst] == ["t27", "t18", "t9", "t0"]
    assert [(one.state, one.code, one.count) for one in made.aside] == [
        ("rejected", "missing_field", 1)
    ]
    assert [(one.topic, one.sound, one.states["scored"]) for one in made.ledgers] == [
        (TOPIC, True, 30)
    ]
    other = report(SETTINGS, world.admin, world.store, "fraud", DAY + 1, [TOPIC])
    assert (other.decided, other.worst, other.aside) == (0, [], [])


def test_the_file_holds_all_and_asks_nobody() -> None:
    world = Decided()
    text = page(report(SETTINGS, world.admin, world.store, "fraud", DAY, [TOPIC]), T0)
    found = Tags(text)
    told = " ".join(found.texts)
    assert not set(found.tags) & {"script", "img", "link", "iframe"} and found.links == []
    for word in (
        "fraud, 2010-01-01",
        "at night; small",
        "missing_field",
        "id is missing",
        "✓ sound",
    ):
        assert word in told
    assert found.tags.count("svg") >= 3


def test_names_stay_text() -> None:
    world = Decided()
    made = report(SETTINGS, world.admin, world.store, "fraud", DAY, [TOPIC])
    bad = made.worst[0].__class__(
        **{**{f: getattr(made.worst[0], f) for f in made.worst[0].__struct_fields__},
           "entity": "<script>alert(1)</script>\x1b[2J"}
    )  # fmt: skip
    text = page(made._replace(worst=[bad]), T0)
    assert "script" not in Tags(text).tags and "\x1b" not in text


def test_the_command_writes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = Decided()

    @contextmanager
    def connected(settings: Any) -> Iterator[Any]:
        yield world.admin, world.store

    monkeypatch.setattr(connections, "connected", connected)
    file = tmp_path / "r.html"
    assert run(["report", "fraud", "--day", "2010-01-01", "--out", str(file)]) == 0
    assert "30 decided, 4 alerts" in capsys.readouterr().out
    assert file.read_text().startswith("<!doctype html>")
    assert run(["report", "fraud", "--day", "2010-01-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decided"] == 30
    assert run(["report", "fraud", "--day", "30.11.2026"]) == 2
    assert "Write it as 2026-11-30" in capsys.readouterr().err
