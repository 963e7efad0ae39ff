"""Building the optional compiled core: what a person is told where it cannot be."""

import subprocess

import pytest

from apps.build import native


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
