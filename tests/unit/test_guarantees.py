"""Every test that docs/guarantees.md names exists, and every promise names one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "guarantees.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)
PROMISES = (
    "Every Kafka record ends in exactly one state",
    "A decision is stored once, with the same bytes however often its record is replayed",
    "For each key, state follows the order of offsets",
    "A crash of anything loses nothing that was acknowledged",
    "Memory and work in flight stay bounded",
    "Whatever goes wrong is told, with cause and remedy",
)


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_a_named_test_exists(file: str, name: str) -> None:
    text = (ROOT / "tests" / file).read_text()
    assert re.search(rf"^(?:def {name}\(|{name} = .*TestCase)", text, re.MULTILINE)


def test_every_promise_has_its_part_and_says_what_is_not_promised() -> None:
    parts = re.split(r"^## \d\. ", TEXT, flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == list(PROMISES)
    assert all("\nNot promised:\n- " in part for part in parts)


def test_every_line_names_its_tests() -> None:
    rows = [row for row in TEXT.splitlines() if row.startswith("| ")]
    lines = [row for row in rows if not row.startswith(("| promise", "| ---"))]
    assert len(lines) > 25
    for line in lines:
        assert re.search(r"`[\w/]+\.py::\w+`", line.split(" | ")[-1]), line


def test_the_settings_it_names_exist() -> None:
    from dataclasses import fields

    from stormwatch.settings import Settings

    keys = {each.metadata["key"] for each in fields(Settings)}
    prefixes = {key.split(".")[0] for key in keys if "." in key}
    named = re.findall(r"`((?:[a-z]+)\.[a-z_]+)`", TEXT)
    assert {name for name in named if name.split(".")[0] in prefixes} <= keys
