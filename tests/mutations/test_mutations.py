"""Mutation check: each rule is broken in a copy of the source, and a fast test has to notice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations.mutants import BY_THE_MACHINE, MACHINE, MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "tests", "apps", "topologies", "schema", "docs")
FAILED = 1  # pytest's code for tests that ran and failed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutant")
    for each in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / each, root / each, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def run(root: Path, tests: str, limit_s: float = 200) -> subprocess.CompletedProcess[str]:
    chosen = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not integration and not slow"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
    path = f"{root / 'src'}:{root}"
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *chosen, *tests.split()],
        cwd=root, env={**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1",
                       "HYPOTHESIS_PROFILE": "mutants"},
        capture_output=True, text=True, timeout=limit_s, check=False,
    )  # fmt: skip


def named(mutant: Mutant) -> str:
    return mutant.rule.replace(" ", "-")


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_a_broken_rule_is_noticed(copy: Path, mutant: Mutant) -> None:
    notice(copy, mutant)


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.rule in BY_THE_MACHINE], ids=named)
def test_the_state_machine_notices_by_itself(copy: Path, mutant: Mutant) -> None:
    notice(copy, mutant._replace(tests=MACHINE))


def notice(copy: Path, mutant: Mutant) -> None:
    """Break the rule in the copy, run the tests that have to notice, mend it."""
    file, broken = mutant.made()
    path = copy / file.relative_to(ROOT)
    sound = path.read_text()
    path.write_text(broken)
    try:
        done = run(copy, mutant.tests)
    finally:
        path.write_text(sound)
    assert done.returncode == FAILED, f"nobody noticed: {mutant.rule}\n{done.stdout[-2000:]}"
    assert "SyntaxError" not in done.stdout


@pytest.mark.timeout(1000)
def test_the_sound_copy_passes(copy: Path) -> None:
    tests = sorted({name for mutant in MUTANTS for name in mutant.tests.split()})
    done = run(copy, " ".join(tests), 900)
    assert done.returncode == 0, done.stdout[-3000:]
