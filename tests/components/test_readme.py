"""What the README shows is true: its bolt runs, its commands exist."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from apps.build.scaffold import plan
from apps.cli.__main__ import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The sample bolt, importable as bolts.large."""
    module = ModuleType("bolts.large")
    monkeypatch.setitem(sys.modules, "bolts.large", module)
    exec(next(b for b in blocks("python") if "class Large" in b), module.__dict__)
    return module


def test_the_samples_own_tests_pass(large: ModuleType) -> None:
    tests: dict[str, Any] = {}
    exec(next(b for b in blocks("python") if "def test_large" in b), tests)
    assert [tests[name]() for name in tests if name.startswith("test_")] == [None, None]


def test_new_wires_it_into_the_topology(large: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "large_of_the_readme"  # someone may have followed it, and have a bolt large
    monkeypatch.setitem(sys.modules, f"bolts.{name}", large)
    large.__dict__["LargeOfTheReadme"] = large.__dict__["Large"]
    module = ModuleType("with_large")
    exec(plan("bolt", name, ROOT, "fraud").files["topologies/fraud.py"], module.__dict__)
    assert name in module.Fraud.thrift_bolts


def test_every_command_it_names_exists():
    known = set(typer.main.get_command(app).commands)
    named = set(re.findall(r"\./stormwatch ([a-z]+)", README))
    assert named
    assert named <= known, named - known
