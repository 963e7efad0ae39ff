"""Jars from project.clj, the one place for versions; class paths are cached on its content."""

import hashlib
import re
from pathlib import Path

from apps.local.services import maven, project_clj
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, Progress
from apps.local.services.locks import locked

STORM, WORKER, KAFKA, CASSANDRA = "storm", "worker", "kafka", "cassandra"
"""Profiles of project.clj; Storm is the project itself."""
FLINK = "flink"
"""Another profile, of what few need: fetched by itself."""

_UNWANTED = ("storm-clojure", "reload4j")
"""The first fails with NoClassDefFoundError without carbonite, the second is a loop with log4j."""
_LAST = "snakeyaml"
"""flux-core 2.4 brings one inside itself, an older one, and runs with that only; of all else that
is inside it (slf4j, thrift, httpclient) the jars of Storm must come first."""
_LOCK = "jars.lock"


def classpath(home: Home, profile: str, progress: Progress) -> list[Path]:
    """The jars of a profile. What is not there yet is fetched, for all profiles at once.

    Raises ServiceError with what Maven said when it cannot be had.
    """
    cached = cache(home, profile)
    found = _known(cached)
    if found:
        return found
    with locked(home.jars.parent / _LOCK):
        if not _known(cached):
            _resolve(home, progress)
    return _known(cached)


def flink_connector(home: Home, progress: Progress) -> Path:
    """The jar by which Flink reads Kafka, all that it needs inside. Raises ServiceError."""
    cached = cache(home, FLINK)
    with locked(home.jars.parent / _LOCK):
        if not _known(cached):
            project = project_clj.read(home.root)
            if FLINK not in project.profiles:
                raise ServiceError(
                    f"{home.root / 'project.clj'} has no profile {FLINK}, so the jar of Flink's "
                    "Kafka connector is not known. Add it to :profiles."
                )
            wanted = {FLINK: project.profiles[FLINK]}
            found = maven.resolve(wanted, project.managed, home.jars, progress)[FLINK]
            _keep(cached, [jar for jar in found if "connector-kafka" in jar.name])
    return _known(cached)[0]


def cache(home: Home, profile: str) -> Path:
    """The file that names the jars of a profile, once they are there."""
    return home.jars / f"{profile}-{fingerprint(home.root)}.jars"


def _known(cached: Path) -> list[Path]:
    if not cached.exists():
        return []
    jars = [Path(line) for line in cached.read_text().splitlines()]
    return jars if all(jar.exists() for jar in jars) else []


def known(home: Home) -> bool:
    """Whether all of them are there."""
    return all(_known(cache(home, profile)) for profile in (STORM, WORKER, KAFKA, CASSANDRA))


def joined(jars: list[Path]) -> str:
    """As `java -cp` takes it."""
    return ":".join(map(str, jars))


def fingerprint(root: Path) -> str:
    """Of project.clj: other versions, other fingerprint."""
    return hashlib.sha256(_project(root).encode()).hexdigest()[:12]


def storm_version(root: Path) -> str:
    """Storm's version as project.clj names it."""
    found = re.search(r'\[org\.apache\.storm/storm-core\s+"([^"]+)"', _project(root))
    if not found:
        raise ServiceError(
            f'{root / "project.clj"} names no [org.apache.storm/storm-core "VERSION"]. '
            "Add that line to :dependencies."
        )
    return found[1]


def _project(root: Path) -> str:
    try:
        return (root / "project.clj").read_text()
    except OSError as error:
        raise ServiceError(
            f"Cannot read {root / 'project.clj'}: {error}. Run this inside the project."
        ) from error


def _resolve(home: Home, progress: Progress) -> None:
    project = project_clj.read(home.root)
    absent = [name for name in (WORKER, KAFKA, CASSANDRA) if name not in project.profiles]
    if absent:
        raise ServiceError(
            f"{home.root / 'project.clj'} has no profile {', '.join(absent)}, so its jars "
            "are not known. Add it to :profiles."
        )
    named = {name: project.profiles[name] for name in (WORKER, KAFKA, CASSANDRA)}
    wanted = {STORM: project.dependencies, **named}
    for profile, jars in maven.resolve(wanted, project.managed, home.jars, progress).items():
        kept = [jar for jar in jars if not any(part in jar.name for part in _UNWANTED)]
        kept.sort(key=lambda jar: jar.name.startswith(_LAST))
        _keep(cache(home, profile), kept)


def _keep(cached: Path, found: list[Path]) -> None:
    fresh = cached.with_suffix(".new")
    fresh.write_text("\n".join(map(str, found)) + "\n")
    fresh.replace(cached)
