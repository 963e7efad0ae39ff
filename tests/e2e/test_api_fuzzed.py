"""Schemathesis asks all that the OpenAPI document allows, and what it does not allow."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apps.operate import tokens
from tests.models.asked import asked

pytestmark = pytest.mark.slow
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,negative_data_rejection"
)


@pytest.fixture(scope="module")
def schemathesis(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program: installed, or in an environment of its own."""
    if found := shutil.which("schemathesis"):
        return found
    place = tmp_path_factory.mktemp("schemathesis")
    for command in (
        [sys.executable, "-m", "venv", str(place)],
        [str(place / "bin" / "pip"), "install", "-q", "schemathesis>=4,<5"],
    ):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"schemathesis cannot be installed: {done.stderr.decode()[-200:]}")
    return str(place / "bin" / "schemathesis")


def test_whatever_is_asked_is_answered_as_the_document_says(
    schemathesis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "RATE", 1e9)
    with asked() as api:
        done = subprocess.run(
            [
                schemathesis, "run", f"http://127.0.0.1:{api.port}/openapi.json",
                "--checks", CHECKS, "--max-examples", "25", "--phases", "examples,coverage,fuzzing",
                "--header", "X-Stormwatch: 1", "--seed", "1", "--no-color",
                "--request-timeout", "20",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
