"""The optional compiled core (`native/`): building its wheel, installing it, and what is in use."""

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from stormwatch.errors import StormwatchError

PACKAGE = "stormwatch-native"
FOLDER = Path("native")
WHEELS = FOLDER / "target" / "wheels"


class NativeError(StormwatchError):
    """The compiled core could not be built or installed; the message says why and what to do."""


def version() -> str:
    """Of the compiled core in this virtualenv; "" where there is none."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return ""


def build(root: Path) -> Path:
    """The wheel, built from `native/` and installed into this virtualenv. Raises NativeError.

    It is one for all Pythons from 3.11 on (abi3) on this kind of machine.
    """
    if shutil.which("cargo") is None:
        raise NativeError(
            "cargo, which compiles Rust, is not on the PATH. Install it (https://rustup.rs), or go "
            "on without: the same decisions are made in Python."
        )
    wheels = root / WHEELS
    shutil.rmtree(wheels, ignore_errors=True)
    _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(root / FOLDER))
    (wheel,) = wheels.glob("*.whl")
    _pip("install", "--force-reinstall", "--no-deps", str(wheel))
    return wheel


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise NativeError(
            f"`pip {words[0]}` of the compiled core failed. Without it the same decisions are made "
            f"in Python. It said:\n{told}"
        )
