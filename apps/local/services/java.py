"""Java: found, and new enough."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from apps.local.services.errors import ServiceError

REQUIRED = 17
"""Cassandra 5 and Storm 2.8 are run and tested on it."""

_ADVICE = (
    f"Install Java {REQUIRED} (Debian, Ubuntu: `apt-get install openjdk-{REQUIRED}-jre-headless`; "
    f"macOS: `brew install openjdk@{REQUIRED}`) and see that `java -version` shows it, "
    "or set JAVA_HOME."
)


FRUGAL = (
    "-XX:-UsePerfData",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:TrimNativeHeapInterval=60000",
)
"""Options of every JVM: no files in /tmp, and memory that it freed beside its heap goes back to the
system once a minute instead of staying in glibc's arenas (Java 17.0.9, 21.0.1; older ignore it)."""

FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""Environment of every JVM. By itself glibc gives each thread an arena, up to eight a core; what is
freed in one is of use to no other, so that the more threads come by, the more memory is held."""


def java() -> str:
    """The `java` to run, of JAVA_HOME or PATH. Raises ServiceError as `checked` does."""
    return checked()[0]


def checked() -> tuple[str, int]:
    """The `java` to run and its major version.

    Raises ServiceError when there is none or it is older than `REQUIRED`.
    """
    path = _find()
    version = major(_version_text(path))
    if version < REQUIRED:
        raise ServiceError(
            f"{path} is Java {version}; Kafka, Cassandra and Storm need {REQUIRED} or newer. "
            f"{_ADVICE}"
        )
    return path, version


def major(text: str) -> int:
    """The major version in the output of `java -version` (1.8 counts as 8); 0 if none is there."""
    number = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(number[1]) if number else 0


def _find() -> str:
    home = os.environ.get("JAVA_HOME")
    if home:
        path = Path(home) / "bin" / "java"
        if not path.exists():
            raise ServiceError(f"JAVA_HOME is {home}, but {path} does not exist. {_ADVICE}")
        return str(path)
    program = shutil.which("java")
    if not program:
        raise ServiceError(f"There is no `java` on PATH. {_ADVICE}")
    return program


def _version_text(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "-version"], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"`{path} -version` does not answer: {error}. {_ADVICE}") from error
    return done.stderr + done.stdout
