"""The virtualenv that has apache-flink, made on demand: it pins older packages than ours."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path

from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, Progress
from apps.local.services.locks import locked

STEP = "flink"
VERSIONS = ("3.11", "3.12")
"""Of Python, that apache-flink has packages for."""
_DOWNLOADED = re.compile(r"^(Collecting|Downloading|Building wheel for|Installing) *(\S+)")
_TOLD = 8


def python(home: Home, progress: Progress) -> Path:
    """The interpreter of the virtualenv, with all packages there. Raises ServiceError."""
    place = home.run_dir / "flink"
    folder = place / "venv"
    wanted = home.root / "requirements" / "flink.txt"
    done = folder / hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    found = folder / "bin" / "python"
    if done.exists() and found.exists():
        return found
    place.mkdir(parents=True, exist_ok=True)
    with locked(place / "venv.lock"):
        if not (done.exists() and found.exists()):
            _make(folder, wanted, progress)
            done.touch()
    return found


def _make(folder: Path, wanted: Path, progress: Progress) -> None:
    base = _base()
    progress(STEP, f"making a virtualenv in {folder} (once; about 900 MB)")
    shutil.rmtree(folder, ignore_errors=True)
    _run([base, "-m", "venv", str(folder)], "make a virtualenv", progress)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    _run([*pip, "-r", str(wanted)], "install apache-flink", progress)


def _base() -> str:
    """A Python that Flink runs on: this one, else one on PATH."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if own in VERSIONS:
        return sys.executable
    for version in VERSIONS:
        if path := shutil.which(f"python{version}"):
            return path
    raise ServiceError(
        f"This is Python {own}, and apache-flink has packages for {' and '.join(VERSIONS)} alone; "
        "neither is on PATH. Install one beside it (Ubuntu: `apt-get install python3.12-venv`; "
        "`uv python install 3.12`; macOS: `brew install python@3.12`) and start again."
    )


def _run(command: list[str], what: str, progress: Progress) -> None:
    last: deque[str] = deque(maxlen=_TOLD)
    with subprocess.Popen(
        command, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": ""},
    ) as process:  # fmt: skip
        assert process.stdout
        for line in process.stdout:
            last.append(line.rstrip())
            if told := _DOWNLOADED.match(line.strip()):
                progress(STEP, f"{told[1].lower()} {told[2]}")
    if process.returncode:
        errors = [line for line in last if line.startswith("ERROR")] or list(last)
        raise ServiceError(
            f"pip could not {what}:\n" + "\n".join(errors) + "\nFlink needs the packages of "
            "requirements/flink.txt. See that the package index is reached and that 2 GB of disk "
            "are free, then start again."
        )
