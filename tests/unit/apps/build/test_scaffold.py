"""`./stormwatch new`, in a copy of the project: what it writes passes at once."""

import subprocess
from pathlib import Path

import pytest

from apps.build.scaffold import names, plan
from stormwatch.errors import StormwatchError
from tests.documents import ROOT, copy_of_the_project, python

LONG = "a_name_just_short_enough"  # 24 characters


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, to write into."""
    return copy_of_the_project(tmp_path)


def new(copy: Path, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return python(copy, "apps.cli", "new", *arguments, answer=answer)


def files(copy: Path) -> set[str]:
    return {str(p.relative_to(copy)) for p in copy.rglob("*.py") if "__pycache__" not in p.parts}


def test_what_is_new_passes_every_check_at_once(copy: Path) -> None:
    before = files(copy)
    for arguments in (
        ("bolt", "scaffolded", "--topology", "fraud"),
        ("bolt", LONG, "--topology", "maintenance"),
        ("topology", "scaffolded_flow"),
        ("topology", "a_flow_before_reject"),
        ("topology", "s1"),
        ("spout", f"{LONG[:-1]}s"),
        ("bolt", "scaffolded_plain"),
        ("bolt", "scaffolded_state", "--topology", "social", "--state"),
        ("feature", "scaffolded_feature"),
        ("rule", "scaffolded_rule"),
        ("mapping", "scaffolded_mapping"),
        ("type", "scaffolded_type"),
        ("model", "scaffolded_forest"),
    ):
        done = new(copy, *arguments, "--yes")
        assert done.returncode == 0, done.stderr
    added = sorted(files(copy) - before)
    assert {"src/bolts/scaffolded.py", "topologies/scaffolded_flow.py"} <= set(added)
    tests = [path for path in added if path.startswith("tests/")]
    assert len(tests) == 19
    touched = [*added, "topologies", "src/stormwatch/settings.py"]
    for command in (
        ("pytest", "-q", "-p", "no:cacheprovider", *tests),
        ("ruff", "check", "--no-cache", *touched),
        ("ruff", "format", "--no-cache", "--check", *touched),
        ("apps.cli", "lint"),
    ):
        done = python(copy, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_change_is_shown_and_nothing_is_written_without_a_yes(copy: Path) -> None:
    before = files(copy)
    done = new(copy, "bolt", "scaffolded", "--topology", "fraud", answer="n\n")
    assert done.returncode == 1
    assert "+from bolts.scaffolded import Scaffolded\n" in done.stdout
    assert (
        '+    scaffolded = Scaffolded.spec(inputs={parse: Grouping.fields("bucket")})\n'
        in done.stdout
    )
    assert "Write these 4 files?" in done.stdout
    assert files(copy) == before
    assert new(copy, "bolt", "scaffolded", "--topology", "fraud", answer="y\n").returncode == 0
    assert "src/bolts/scaffolded.py" in files(copy)


REFUSED = [
    ("bolt", "Large-Payments", None, "lower-case words joined by _", "large_payments"),
    ("bolt", "9lives", None, "lower-case words", "lives"),
    ("bolt", "__system", None, "lower-case words", "system"),
    ("bolt", "zählen", None, "lower-case words", "z_hlen"),
    ("bolt", "lambda", None, "it is a Python keyword", "lambda_watch"),
    ("bolt", "match", None, "it is a Python keyword", "match_watch"),
    ("topology", "json", None, "Python's standard library", "json_watch"),
    ("topology", "numpy", None, "end of sys.path", "numpy_watch"),
    ("spout", "queue", None, "would import this file", "queue_events"),
    ("topology", "streamparse", None, "an installed package", "streamparse_watch"),
    ("bolt", "pystorm", None, "an installed package", "pystorm_watch"),
    ("bolt", "stormwatch", None, "a package of this project", "stormwatch_watch"),
    ("bolt", "stormwatch_more", None, "belong to the core", "stormwatch_more_watch"),
    ("bolt", "fraud", None, "src/bolts/fraud.py exists already", "fraud_watch"),
    ("topology", "fraud", None, "exists already", "fraud_watch"),
    ("spout", "transactions", None, "exists already", "transactions_events"),
    ("bolt", "settings", "fraud", "already uses the name for something else", "settings_watch"),
    ("bolt", "config", "fraud", "a Topology class has an attribute", "config_watch"),
    ("bolt", "decide", "fraud", "exists already", "decide_watch"),
    ("bolt", "x" * 25, None, "24 characters", "x" * 17),
]


@pytest.mark.parametrize(("kind", "name", "topology", "why", "instead"), REFUSED)
def test_a_name_that_would_break_is_refused_with_why_and_another(
    kind: str, name: str, topology: str | None, why: str, instead: str
) -> None:
    with pytest.raises(names.NameRefused) as refused:
        plan(kind, name, ROOT, topology)
    assert why in str(refused.value)
    assert f"Try: ./stormwatch new {kind} {instead}" in str(refused.value)


def test_what_cannot_be_wired_says_what_can() -> None:
    with pytest.raises(StormwatchError, match=r"no topology 'nope'. Choose one of: .*fraud"):
        plan("bolt", "scaffolded", ROOT, "nope")
    with pytest.raises(StormwatchError, match="--state is for bolts in a topology"):
        plan("bolt", "scaffolded", ROOT, state=True)
    with pytest.raises(StormwatchError, match="--topology is for bolts"):
        plan("spout", "clicks", ROOT, "fraud")
