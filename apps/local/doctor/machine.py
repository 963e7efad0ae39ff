"""Checks of the machine itself: programs, packages, disk, memory."""

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from apps.local.services import jars, maven
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home
from apps.local.services.java import Need, java

_PYTHON = (3, 11)
_DISK_GB = {WARN: 5.0, FAIL: 1.0}
_MEMORY_GB = 4.0
_NAME = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;]+)$")


def check_python() -> Iterator[Finding]:
    """The interpreter of the virtualenv."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= _PYTHON
    yield Finding(
        "Python",
        OK if good else FAIL,
        f"{version} at {sys.executable}.",
        "" if good else "3.11 or newer is needed.",
        "" if good else "Install it, delete .venv and start again.",
    )


def check_java(needs: Iterable[tuple[Need, str]]) -> Iterator[Finding]:
    """Java, for each that is started here: what it needs, and the folder of its own Java or ""."""
    good: dict[str, list[str]] = {}
    bad: dict[str, None] = {}
    for need, home in needs:
        try:
            found = java(need, home)
            good.setdefault(f"{found.version} at {found.path}", []).append(need.program)
        except ServiceError as error:
            bad[str(error)] = None
    for what, programs in good.items():
        yield Finding("Java", OK, f"{what}, good for {', '.join(programs)}.")
    for sentence in bad:
        yield Finding("Java", FAIL, sentence)


def check_jars(home: Home) -> Iterator[Finding]:
    """Jars of Storm, Kafka and Cassandra, or what brings them."""
    if jars.known(home):
        yield Finding("jars", OK, "Those of project.clj are there.")
        return
    found = maven.find(home.jars)
    yield Finding(
        "jars",
        OK,
        "They come with the first start, by Maven into ~/.m2: "
        + (f"{found}." if found else f"there is no `mvn`, so Apache Maven {maven.VERSION} is "
           f"fetched into {home.jars}."),
    )  # fmt: skip


def check_packages(root: Path) -> Iterator[Finding]:
    """Installed versions against constraints.txt."""
    wrong = []
    for line in (root / "constraints.txt").read_text().splitlines():
        found = _NAME.match(line.strip())
        if not found:
            continue  # a comment, or a line for some versions of Python only
        try:
            version = importlib.metadata.version(found[1])
        except importlib.metadata.PackageNotFoundError:
            continue  # of requirements-dev.txt, or of another platform
        if version != found[2]:
            wrong.append(f"{found[1]} {version} (constraints.txt: {found[2]})")
    if wrong:
        yield Finding(
            "packages",
            WARN,
            f"Other versions than the tested ones: {', '.join(wrong)}.",
            "What is tested is constraints.txt.",
            "`rm .venv/.requirements.txt.stamp`, then `./stormwatch doctor` installs them.",
        )
    else:
        yield Finding("packages", OK, "As constraints.txt says.")


def check_disk(run_dir: Path) -> Iterator[Finding]:
    """Room for data and logs."""
    place = next(path for path in (run_dir, *run_dir.parents) if path.exists())
    free = shutil.disk_usage(place).free / 1e9
    level = next((level for level in (FAIL, WARN) if free < _DISK_GB[level]), OK)
    if level == OK:
        yield Finding("disk", OK, f"{free:.0f} GB free at {place}.")
    else:
        yield Finding(
            "disk",
            level,
            f"Only {free:.1f} GB free at {place}.",
            "Kafka and Cassandra stop when the disk is full.",
            "Make room, or set STORMWATCH_RUN_DIR to another disk.",
        )


def check_memory() -> Iterator[Finding]:
    """Room for the services and two topologies."""
    import psutil

    free = psutil.virtual_memory().available / 1e9
    if free >= _MEMORY_GB:
        yield Finding("memory", OK, f"{free:.0f} GB available.")
    else:
        yield Finding(
            "memory",
            WARN,
            f"{free:.1f} GB available.",
            f"Kafka, Cassandra and two topologies want about {_MEMORY_GB:.0f} GB.",
            "Close something, or run `./stormwatch run --topology fraud` alone.",
        )
