"""Every promise of docs/guarantees.md is held by tests: those that its annex names, which exist."""

import re
from pathlib import Path

import pytest

from apps.prove.chaos.campaigns import CAMPAIGNS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
ANNEX = (ROOT / "docs" / "guarantees-tests.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", ANNEX)
PROMISES = (
    "Every Kafka record ends in exactly one state",
    "A decision is stored once, with the same bytes however often its record is replayed",
    "For each key, state follows the order of offsets",
    "A crash of anything loses nothing that was acknowledged",
    "Memory and work in flight stay bounded",
    "Whatever goes wrong is reported, with cause and remedy",
)
ROWS = [
    row.strip("| ").split(" | ")
    for row in ANNEX.splitlines()
    if row.startswith("| ") and not row.startswith(("| promise", "| ---"))
]


def parts(text: str) -> list[str]:
    return re.split(r"^## \d\. ", text, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_a_named_test_exists(file: str, name: str) -> None:
    text = (ROOT / "tests" / file).read_text()
    assert re.search(rf"^(?:def {name}\(|{name} = .*TestCase)", text, re.MULTILINE)


@pytest.mark.parametrize("text", [PAGE, ANNEX], ids=["page", "annex"])
def test_every_promise_has_its_part(text: str) -> None:
    assert [part.splitlines()[0] for part in parts(text)] == list(PROMISES)


def test_every_part_says_what_is_not_promised() -> None:
    assert all("\nNot promised:\n- " in part for part in parts(PAGE))


def test_every_line_names_its_tests() -> None:
    assert len(ROWS) > 25
    for row in ROWS:
        assert re.search(r"`[\w/]+\.py::\w+`", row[-1]), row


def test_the_campaigns_it_names_exist() -> None:
    known = {campaign.name for campaign in CAMPAIGNS}
    named = {name for row in ROWS for name in re.findall(r"`([a-z0-9-]+)` \(\d+\)", row[1])}
    assert named
    assert named <= known, named - known


def test_the_settings_it_names_exist() -> None:
    from dataclasses import fields

    from stormwatch.settings import Settings

    keys = {each.metadata["key"] for each in fields(Settings)}
    prefixes = {key.split(".")[0] for key in keys if "." in key}
    named = re.findall(r"`((?:[a-z]+)\.[a-z_]+)`", PAGE)
    assert {name for name in named if name.split(".")[0] in prefixes} <= keys
