"""Java is missing or too old: whatever needs it says so at once, and how to get it."""

from pathlib import Path

import pytest

from tests.e2e.started import Started

pytestmark = pytest.mark.timeout(60)

HOW = "apt-get install openjdk-17-jre-headless"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH of its own."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def an_old_one(programs: Path) -> None:
    java = programs / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)


def test_run_without_java(own_dir: Path, programs: Path, runs: list[Started]) -> None:
    run = Started(own_dir, "--seconds", "1", PATH=str(programs), JAVA_HOME="")
    runs.append(run)
    assert run.wait(30) == 1
    assert "There is no `java` on PATH" in run.text
    assert HOW in run.text
    assert "Traceback" not in run.text
    assert not (own_dir / "services.json").exists()


def test_run_with_an_old_java(own_dir: Path, programs: Path, runs: list[Started]) -> None:
    an_old_one(programs)
    run = Started(own_dir, "--seconds", "1", PATH=str(programs), JAVA_HOME="")
    runs.append(run)
    assert run.wait(30) == 1
    assert f"{programs / 'java'} is Java 11; Storm needs Java 17 or newer" in run.text
    assert HOW in run.text
    assert not run.left()
    assert not (own_dir / "services.json").exists()


def test_doctor_with_an_old_java(own_dir: Path, programs: Path, runs: list[Started]) -> None:
    an_old_one(programs)
    run = Started(own_dir, command="doctor", PATH=str(programs), JAVA_HOME="")
    runs.append(run)
    assert run.wait(30) == 1
    assert "fail Java:" in run.text
    assert HOW in run.text
