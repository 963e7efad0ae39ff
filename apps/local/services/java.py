"""Java: found, and of a version that what is to be started runs on."""

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from apps.local.services import jars
from apps.local.services.errors import ServiceError
from stormwatch.settings import variable

CASSANDRA_HOME = "cassandra.java_home"
_JVMS = Path("/usr/lib/jvm")
_ADVICE = (
    "Install Java (Debian 12: `apt-get install openjdk-17-jre-headless`; Debian 13 and 14, Ubuntu "
    "22.04 and 24.04: `apt-get install openjdk-21-jre-headless`; macOS: `brew install openjdk@21`) "
    "and see that `java -version` shows it, or set JAVA_HOME."
)

FRUGAL = (
    "-XX:-UsePerfData",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:TrimNativeHeapInterval=60000",
)
"""Options of every JVM: no files in /tmp, and memory that it freed beside its heap goes back to the
system once a minute instead of staying in glibc's arenas (Java 17.0.9, 21.0.1; older ignore it)."""

C1_ALONE = "-XX:TieredStopAtLevel=1"
"""Compile once and quickly: for a program whose own code is little of what a record costs. On two
cores the second compiler takes most of one in its first minutes."""

LATE_C2 = (
    "-XX:Tier4InvocationThreshold=20000",
    "-XX:Tier4MinInvocationThreshold=2400",
    "-XX:Tier4CompileThreshold=60000",
    "-XX:Tier4BackEdgeThreshold=160000",
)
"""The second compiler sets in at four times the usual counts: for code that stays hot, and not
for all that a start runs through."""

FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""Environment of every JVM. By itself glibc gives each thread an arena, up to eight a core; what is
freed in one is of use to no other, so that the more threads come by, the more memory is held."""


class Need(NamedTuple):
    """Which versions of Java a program runs on."""

    program: str
    first: int
    last: int | None = None

    def met(self, version: int) -> bool:
        """Whether it runs on this one."""
        return self.first <= version and (self.last is None or version <= self.last)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.last else f"{self.first} or newer"


KAFKA = Need("Kafka", 17)
CASSANDRA = Need("Cassandra", 17, 23)
"""From Java 24 on there is no security manager, without which Cassandra 5.0 ends as it starts."""
_MANAGER_ASKED_FOR = range(18, 24)
"""Where the security manager is off unless it is asked for."""


class Java(NamedTuple):
    """A `java` to run."""

    path: str
    version: int
    """Major."""


def storm(root: Path) -> Need:
    """What Storm needs in the version that project.clj names. Raises ServiceError."""
    return Need("Storm", 21 if int(jars.storm_version(root).partition(".")[0]) >= 3 else 17)


def java(need: Need, home: str = "") -> Java:
    """The Java for a program: of the folder `home` if given, else of JAVA_HOME or PATH.

    Raises ServiceError when there is none or the program does not run on it.
    """
    path = _find(home)
    found = Java(path, _version(path))
    if need.met(found.version):
        return found
    raise ServiceError(
        f"{path} is Java {found.version}; {need.program} needs Java {need}. "
        + (_ADVICE if need.last is None or found.version < need.first else _another(need))
    )


def cassandra_options(version: int) -> list[str]:
    """What Cassandra needs beside its usual options on this version."""
    return ["-Djava.security.manager=allow"] if version in _MANAGER_ASKED_FOR else []


def _another(need: Need) -> str:
    """How to give a program that does not run on a new Java an older one of its own."""
    there = next((home for home in sorted(_JVMS.glob("*")) if _suits(home, need)), None)
    get = "" if there else (
        "Install one beside it (Debian 13 and 14, Ubuntu 24.04: `apt-get install "
        "openjdk-21-jre-headless`; macOS: `brew install openjdk@21`). "
    )  # fmt: skip
    return (
        f"{get}Name its folder in {CASSANDRA_HOME}: `export {variable(CASSANDRA_HOME)}="
        f"{there or _JVMS / 'java-21-openjdk-amd64'}`. All else goes on with the newer one."
    )


def _suits(home: Path, need: Need) -> bool:
    """By the `release` file, which every JDK and JRE has: nothing is run to look."""
    try:
        found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', (home / "release").read_text())
    except OSError:
        return False
    return found is not None and need.met(int(found[1])) and (home / "bin" / "java").exists()


def major(text: str) -> int:
    """The major version in the output of `java -version` (1.8 counts as 8); 0 if none is there."""
    number = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(number[1]) if number else 0


def _find(home: str) -> str:
    named = CASSANDRA_HOME if home else "JAVA_HOME"
    home = home or os.environ.get("JAVA_HOME", "")
    if home:
        path = Path(home) / "bin" / "java"
        if not path.exists():
            raise ServiceError(f"{named} is {home}, but {path} does not exist. {_ADVICE}")
        return str(path)
    program = shutil.which("java")
    if not program:
        raise ServiceError(f"There is no `java` on PATH. {_ADVICE}")
    return program


@lru_cache
def _version(path: str) -> int:
    try:
        done = subprocess.run(
            [path, "-version"], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"`{path} -version` does not answer: {error}. {_ADVICE}") from error
    return major(done.stderr + done.stdout)
