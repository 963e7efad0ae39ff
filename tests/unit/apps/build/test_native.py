"""Building the optional compiled core: what a person is told where it cannot be."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.build import native
from stormwatch import compiled

ROOT = Path(__file__).parents[4]
COMPARED = ("tests/unit/state/test_compiled.py", "tests/unit/state/test_compiled_readings.py")


def test_without_cargo_it_says_where_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    with pytest.raises(native.NativeError, match=r"cargo.*rustup\.rs.*same decisions"):
        native.build(tmp_path)


def test_of_a_failed_build_the_end_is_told(monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, stdout="a\n" * 99, stderr="error: no linker\n")
    monkeypatch.setattr(native.shutil, "which", lambda name: "/usr/bin/cargo")
    monkeypatch.setattr(native.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(native.NativeError, match="no linker") as raised:
        native.build(tmp_path)
    assert len(str(raised.value).splitlines()) < 20


def test_the_sources_are_those_that_the_fingerprint_names():
    found = compiled.digest(native.sources(ROOT))
    assert found == compiled.SOURCES, f'in stormwatch/compiled.py: SOURCES = "{found}"'


@pytest.fixture
def _asked_afresh():
    compiled.core.cache_clear()
    yield
    compiled.core.cache_clear()


@pytest.mark.usefixtures("_asked_afresh")
def test_an_extension_of_other_code_is_not_used_and_said(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "stormwatch_native", SimpleNamespace(FINGERPRINT="0" * 16))
    with caplog.at_level(logging.WARNING):
        assert compiled.core() is None
        assert compiled.core() is None
    (told,) = caplog.messages
    assert "of other code" in told
    assert "./stormwatch native build" in told


@pytest.mark.usefixtures("_asked_afresh")
def test_an_extension_of_this_code_is_used(monkeypatch):
    found = SimpleNamespace(FINGERPRINT=compiled.fingerprint())
    monkeypatch.setitem(sys.modules, "stormwatch_native", found)
    assert compiled.core() is found


def test_every_file_of_the_reference_counts(tmp_path):
    one = tmp_path / "one"
    one.write_text("a")
    before = compiled.digest([one])
    one.write_text("b")
    assert compiled.digest([one]) != before


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_built_here_it_makes_the_same_bytes(tmp_path):
    """Wherever there is cargo, which fetches its crates: into a folder of its own."""
    wheel = native.make_wheel(ROOT)
    python = [sys.executable, "-m"]
    target = [*python, "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), str(wheel)]
    subprocess.run(target, check=True)
    compare = [*python, "pytest", "-q", "-m", "not slow", *COMPARED]
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), str(tmp_path)])
    done = subprocess.run(
        compare, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
