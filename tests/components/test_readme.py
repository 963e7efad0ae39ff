"""What the README shows is true: its bolt runs, its commands exist."""

import re
import sys
from pathlib import Path
from types import ModuleType

import typer.main

from apps.cli.__main__ import app
from stormwatch.codec import Parsed
from stormwatch.fraud.event import Transaction
from stormwatch.records import Fragment
from stormwatch.testing import batch, drive

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def sample(name: str) -> ModuleType:
    module = ModuleType(name)
    exec(next(b for b in blocks("python") if "class LargeBolt" in b), module.__dict__)
    return module


def test_the_sample_bolt_does_what_it_says():
    large = sample("large").LargeBolt
    events = [
        (i, 0, Transaction(str(i), "C1", "T1", 0, amount, "EUR"))
        for i, amount in enumerate([5_00, 2_000_00])
    ]
    payload = Parsed(events, [], [])
    said = drive(large, batch(Fragment("t", 0, 1, 0, 1, 1, 0), payload))
    assert [m["id"] for m in said.of("ack")] == ["1"]
    assert "C1 paid 200000" in said.log
    assert "500" not in said.log


def test_the_sample_line_wires_it_into_the_topology(monkeypatch):
    monkeypatch.setitem(sys.modules, "bolts.large", sample("bolts.large"))
    line = next(b for b in blocks("python") if "LargeBolt.spec" in b).splitlines()[-1]
    wiring = (ROOT / "topologies" / "fraud.py").read_text() + line
    module = ModuleType("with_large")
    exec("from bolts.large import LargeBolt\n" + wiring, module.__dict__)
    assert "large" in module.Fraud.thrift_bolts


def test_every_command_it_names_exists():
    known = set(typer.main.get_command(app).commands)
    named = set(re.findall(r"\./stormwatch ([a-z]+)", README))
    assert named
    assert named <= known, named - known
