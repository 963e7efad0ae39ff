"""The optional compiled core (`native/`): building its wheel, installing it, and what is in use."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stormwatch import compiled
from stormwatch.errors import StormwatchError

FOLDER = Path("native")
WHEELS = FOLDER / "target" / "wheels"


class NativeError(StormwatchError):
    """The compiled core could not be built or installed; the message says why and what to do."""


def sources(root: Path) -> list[Path]:
    """What the compiled core is built of: `compiled.SOURCES` is their digest."""
    folder = root / FOLDER
    names = ("Cargo.toml", "pyproject.toml")
    return [*(folder / name for name in names), *sorted((folder / "src").glob("*.rs"))]


def build(root: Path) -> Path:
    """The wheel, built from `native/` and installed into this virtualenv. Raises NativeError."""
    wheel = make_wheel(root)
    _pip("install", "--force-reinstall", "--no-deps", str(wheel))
    return wheel


def make_wheel(root: Path) -> Path:
    """The wheel: one for all Pythons from 3.11 on (abi3) on this kind of machine, and for this very
    code (`compiled.fingerprint`). Raises NativeError."""
    if shutil.which("cargo") is None:
        raise NativeError(
            "cargo, which compiles Rust, is not on the PATH. Install it (https://rustup.rs), or go "
            "on without: the same decisions are made in Python."
        )
    wheels = root / WHEELS
    shutil.rmtree(wheels, ignore_errors=True)
    _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(root / FOLDER))
    (wheel,) = wheels.glob("*.whl")
    return wheel


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    env = os.environ | {"STORMWATCH_FINGERPRINT": compiled.fingerprint()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        told = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise NativeError(
            f"`pip {words[0]}` of the compiled core failed. Without it the same decisions are made "
            f"in Python. It said:\n{told}"
        )
