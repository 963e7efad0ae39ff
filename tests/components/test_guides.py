"""The guides are carried out word for word in a copy, as far as they need no Java."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from apps.cli.__main__ import app
from tests.commands import refusal
from tests.documents import ROOT, copy_of_the_project, is_printed, python, steps, words

GUIDES = sorted((ROOT / "docs").glob("*.md"))
WITHOUT_JAVA = {"new", "test", "lint", "draw", "dev"}
PASSED_ON = {"bench", "test"}
"""Commands that pass on what follows to a program of its own options."""
SPARSE = {"run", "submit", "list", "kill", "tail"}


def test_the_bolt_of_the_guide_runs_as_it_says(tmp_path: Path) -> None:
    copy = copy_of_the_project(tmp_path)
    without_spree(copy)
    done = []
    for step in steps(ROOT / "docs" / "add-a-bolt.md"):
        if step.path:
            assert (copy / step.path).exists(), f"{step.path} was not written by `new`"
            (copy / step.path).write_text(step.text)
        output = ""
        for program, *arguments in map(words, step.commands):
            if program != "./stormwatch" or arguments[0] not in WITHOUT_JAVA:
                continue
            if arguments == ["test"]:  # what every change must pass is not passed within itself
                continue
            command = ["pytest", "-p", "no:cacheprovider", *arguments[1:]]
            ran = python(copy, *(command if arguments[0] == "test" else ["apps.cli", *arguments]))
            assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}"
            output += ran.stdout
            done.append(arguments[0])
        missing = [line for line in step.prints if not is_printed(line, output)]
        assert not missing, f"{step.commands} did not print {missing}: {output}"
    assert done == ["new", "test", "test", "lint", "dev", "draw"]
    assert "<b>spree</b> × 1<br/>Spree" in (copy / "docs" / "topologies.md").read_text()
    for checked in (["ruff", "check"], ["ruff", "format", "--check"]):
        ran = python(copy, *checked, "--no-cache", "src/bolts", "tests/components", "topologies")
        assert ran.returncode == 0, ran.stdout + ran.stderr


def without_spree(copy: Path) -> None:
    """Someone may have followed the guide, and have it."""
    for path in (copy / "src/bolts/spree.py", copy / "docs/components/spree.md"):
        path.unlink(missing_ok=True)
    topology = copy / "topologies/fraud.py"
    lines = topology.read_text().splitlines(True)
    topology.write_text("".join(line for line in lines if "Spree" not in line))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_every_command_and_page_it_names_exists(guide: Path) -> None:
    text = guide.read_text()
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"^(?:.*`)?\./stormwatch ([a-z]+)", text, re.M)) <= known
    for step in steps(guide):
        for line in (part for told in step.commands for part in told.split(" && ")):
            program, *arguments = words(line) or [""]
            if program == "sparse":
                assert arguments[0] in SPARSE, arguments
            elif program == "./stormwatch" and arguments[0] not in PASSED_ON:
                assert refusal(shlex.join([program, *arguments])) == "", line
    for page in re.findall(r"`((?:docs|src|tests|schema|apps|topologies)/[\w/.-]+\.\w+)`", text):
        assert (ROOT / page).exists() or "spree" in page, page
