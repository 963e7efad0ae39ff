"""Jars from project.clj, the one place for versions; class paths are cached on its content."""

import hashlib
import re
import subprocess
import threading
from collections import deque
from pathlib import Path

from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, Progress
from apps.local.services.leiningen import environment, lein
from apps.local.services.locks import BUILD, locked

STORM, WORKER, KAFKA, CASSANDRA = "storm", "worker", "kafka", "cassandra"
"""Leiningen profiles of project.clj; Storm is the project itself."""

_UNWANTED = ("storm-clojure", "reload4j")
"""The first fails with NoClassDefFoundError without carbonite, the second is a loop with log4j."""


def classpath(home: Home, profile: str, progress: Progress) -> list[Path]:
    """The jars of a profile, downloaded if they are not there yet.

    Raises ServiceError with the last lines of Leiningen when it cannot resolve them.
    """
    cached = home.jars / f"{profile}-{fingerprint(home.root)}.txt"
    found = _known(cached)
    if found:
        return found
    with locked(home.jars.parent / BUILD):
        found = _known(cached) or _resolve(home, profile, progress)
        home.jars.mkdir(parents=True, exist_ok=True)
        fresh = cached.with_suffix(".new")
        fresh.write_text("\n".join(map(str, found)) + "\n")
        fresh.replace(cached)
    return found


def _known(cached: Path) -> list[Path]:
    if not cached.exists():
        return []
    jars = [Path(line) for line in cached.read_text().splitlines()]
    return jars if all(jar.exists() for jar in jars) else []


def joined(jars: list[Path]) -> str:
    """As `java -cp` takes it."""
    return ":".join(map(str, jars))


def fingerprint(root: Path) -> str:
    """Of project.clj: other versions, other fingerprint."""
    return hashlib.sha256(_project(root).encode()).hexdigest()[:12]


def storm_version(root: Path) -> str:
    """Storm's version as project.clj names it."""
    found = re.search(r'\[org\.apache\.storm/storm-core\s+"([^"]+)"\]', _project(root))
    if not found:
        raise ServiceError(
            f'{root / "project.clj"} names no [org.apache.storm/storm-core "VERSION"]. '
            "Put that line among its :dependencies, without :exclusions."
        )
    return found[1]


def _project(root: Path) -> str:
    try:
        return (root / "project.clj").read_text()
    except OSError as error:
        raise ServiceError(
            f"Cannot read {root / 'project.clj'}: {error}. Run this inside the project."
        ) from error


def _resolve(home: Home, profile: str, progress: Progress) -> list[Path]:
    step = f"jars of {profile}"
    progress(step, "asking Leiningen")
    select = [] if profile == STORM else ["with-profile", profile]
    command = [lein(progress), *select, "classpath"]
    last: deque[str] = deque(maxlen=15)
    process = subprocess.Popen(
        command,
        cwd=home.root,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout and process.stderr
        reader = threading.Thread(
            target=_report, args=(process.stderr, last, step, progress), daemon=True
        )
        reader.start()
        out = process.stdout.read().splitlines()
        reader.join()
    entries = out[-1].split(":") if out else []
    jars = [Path(entry) for entry in entries if entry.endswith(".jar")]
    if process.returncode or not jars:
        shown = "\n".join([*last, *out[-5:]])
        raise ServiceError(
            f"`{' '.join(command)}` did not resolve the jars:\n{shown}\n"
            "See that the Maven registry is reachable (a proxy or mirror belongs in "
            "~/.lein/profiles.clj), then start again."
        )
    return [jar for jar in jars if not any(part in jar.name for part in _UNWANTED)]


def _report(stream: object, last: deque[str], step: str, progress: Progress) -> None:
    count = 0
    for line in stream:  # type: ignore[attr-defined]
        last.append(line.rstrip())
        found = re.match(r"Retrieving \S*/(\S+\.jar) ", line)
        if found:
            count += 1
            progress(step, f"{count} downloaded, now {found[1]}")
