"""`./stormwatch` before there is a virtualenv: which Python it takes, and what it says of pip."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from apps.cli import quality
from stormwatch.errors import StormwatchError

ROOT = Path(__file__).parents[2]
FUNCTIONS = re.findall(
    r"^\w+\(\) \{.*?^\}$|^die\(\).*?$", (ROOT / "stormwatch").read_text(), re.M | re.S
)


def run(tmp_path: Path, call: str) -> str:
    """What the script's functions say, with the programs of `tmp_path` before the system's."""
    script = "\n".join(["venv=" + str(tmp_path / "venv"), *FUNCTIONS, call])
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
    )  # fmt: skip
    return done.stdout + done.stderr


def python(path: Path, says: str = "", code: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\nexit {code}\n")
    path.chmod(0o755)


def test_the_newest_python_that_all_wheels_are_for_is_known(tmp_path: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13", "python3"):
        python(tmp_path / name, code=1)
    python(tmp_path / "python3.14")
    assert run(tmp_path, "find_python").split()[-1] == str(tmp_path / "python3.14")


@pytest.mark.parametrize("version", ["3.15", "3.13t", "3.10"])
def test_a_python_without_wheels_is_told_so(tmp_path: Path, version: str) -> None:
    python(tmp_path / "venv" / "bin" / "python", version)
    said = run(tmp_path, "why_not requirements.txt /dev/null")
    assert f"requirements.txt names for Python {version}; there are for 3.11 to 3.14" in said
    assert "index" not in said


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("ConnectionError: refused", "See that the package index is reachable"),
        ("error: metadata-generation-failed", "has no wheel for this machine"),
        ("ERROR: Failed to build installable wheels", "has no wheel for this machine"),
    ],
)
def test_what_pip_failed_of_is_told_apart(tmp_path: Path, log: str, told: str) -> None:
    python(tmp_path / "venv" / "bin" / "python", "3.13")
    (tmp_path / "log").write_text(log)
    assert told in run(tmp_path, f"why_not requirements.txt {tmp_path / 'log'}")


def test_a_missing_libgomp_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(quality.importlib, "import_module", absent)
    with pytest.raises(StormwatchError, match=r"libgomp\.so\.1.*apt-get install libgomp1"):
        quality.expect_lightgbm()


def test_workers_need_nothing_that_only_sparse_needs() -> None:
    for name in (ROOT / "virtualenvs").glob("*.txt"):
        assert not re.search(r"^(setuptools|paramiko|cryptography|Fabric)", name.read_text(), re.M)
