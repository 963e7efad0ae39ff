"""What the page tells its reader to type can be typed."""

import re

import pytest

from tests.commands import refusal
from tests.documents import ROOT

PAGE = ROOT / "apps" / "serve" / "page"
TOLD = re.compile(r'"(\./stormwatch [^"]+)"')
COMMANDS = sorted({line for path in PAGE.rglob("*.js") for line in TOLD.findall(path.read_text())})


def test_there_are_some() -> None:
    assert "./stormwatch demo" in COMMANDS


@pytest.mark.parametrize("line", COMMANDS)
def test_it_can_be_given(line: str) -> None:
    assert refusal(line) == ""


def test_what_cannot_is_found() -> None:
    assert refusal("./stormwatch run fraud") == "nothing takes ['fraud']"
    assert refusal("./stormwatch equipment add") == "no command 'add'"
