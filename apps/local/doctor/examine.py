"""Is this machine ready? Findings: what, why it matters, and the next command."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from apps.local.doctor import cassandra_check, kafka_check, machine, mapping_check, spanner_check
from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from apps.local.doctor.retention import settings_findings
from apps.local.services import (
    cassandra,
    jars,
    java,
    kafka,
    manage,
    ports,
    process,
    registry,
    storm,
)
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home
from stormwatch.errors import StormwatchError
from stormwatch.settings import CASSANDRA, SPANNER, Settings

_ANSWER_S = 5.0
"""A Kafka that accepts connections and does not answer for so long is told."""


def examine(settings: Settings, root: Path) -> list[Finding]:
    """All findings; nothing is started or changed."""
    home = Home.of(settings, root)
    checks: list[Callable[[], Iterator[Finding]]] = [
        machine.check_python,
        lambda: _java(settings, root),
        lambda: machine.check_jars(home),
        lambda: _storm(home),
        lambda: machine.check_packages(root),
        lambda: machine.check_disk(home.run_dir),
        machine.check_memory,
        lambda: mapping_check.readable(settings),
        lambda: _services(settings, root, home),
        lambda: spanner_check.check(settings, root) if settings.store == SPANNER else iter(()),
        lambda: _ports(home),
        lambda: _retention(settings),
    ]
    return [finding for check in checks for finding in check()]


def _java(settings: Settings, root: Path) -> Iterator[Finding]:
    """By what is started here: a service that the settings name brings its own Java."""
    try:
        external = {s.name for s in manage.status(root, settings) if s.state == "external"}
        needs = [(java.storm(root), "")]
    except ServiceError:
        return  # told by the checks that look at it
    if kafka.NAME not in external:
        needs.append((java.KAFKA, ""))
    if cassandra.NAME not in external:
        needs.append((java.CASSANDRA, settings.cassandra_java_home))
    yield from machine.check_java(needs)


def _storm(home: Home) -> Iterator[Finding]:
    try:
        wanted = jars.storm_version(home.root)
    except ServiceError as error:
        yield Finding("Storm", FAIL, str(error))
        return
    cached = jars.cache(home, jars.STORM)
    if not cached.exists():
        yield Finding("Storm", OK, f"{wanted} by project.clj; its jars come with the first run.")
    elif f"/storm-core-{wanted}.jar" in cached.read_text():
        yield Finding("Storm", OK, f"{wanted}, as project.clj says.")
    else:
        yield Finding(
            "Storm",
            FAIL,
            f"The resolved jars are not of version {wanted}, which project.clj names.",
            "sparse refuses another version.",
            f"Delete {cached} and start again.",
        )


def _services(settings: Settings, root: Path, home: Home) -> Iterator[Finding]:
    try:
        known = registry.read(home)
    except ServiceError as error:
        yield Finding("services", FAIL, str(error))
        return
    for status in manage.status(root, settings):
        if status.state == "running":
            yield Finding(status.name, OK, f"Running, pid {status.pid}, {_shown(status.ports)}.")
            yield from _checked(status.name, settings)
        elif status.state == "stale":
            yield Finding(
                status.name,
                WARN,
                f"Recorded with pid {status.pid}, which is gone.",
                f"It ended by itself; {known[status.name].log} says why.",
                f"Nothing starts it by itself: `{manage.again(status.name)}` does, "
                "`./stormwatch down` forgets it.",
            )
        elif status.state == "external":
            found = _external(status.name, settings, root)
            yield found
            if found.ok:
                yield from _checked(status.name, settings)
        else:
            yield Finding(status.name, OK, "Not running; `./stormwatch run` and `up` start it.")


def _checked(name: str, settings: Settings) -> Iterator[Finding]:
    """What is asked of a service that accepts connections."""
    if name == kafka.NAME:
        within = min(_ANSWER_S, settings.kafka_request_timeout_s)
        settings = replace(settings, kafka_request_timeout_s=within)
        found = list(kafka_check.check(settings))
        yield from found
        if all(one.ok for one in found):
            yield from mapping_check.fitting(settings)
    elif name == cassandra.NAME and settings.store == CASSANDRA:
        yield from cassandra_check.check(settings)


def _external(name: str, settings: Settings, root: Path) -> Finding:
    try:
        manage.reachable(name, settings, root)
    except StormwatchError as error:
        return Finding(name, FAIL, str(error))
    return Finding(name, OK, f"Named by the settings, and reachable: {name} is not started here.")


def _ports(home: Home) -> Iterator[Finding]:
    running = {
        port
        for entry in registry.read(home).values()
        if process.find(entry.identity)
        for port in entry.ports.values()
    }
    defaults = {9092: kafka.NAME, 9042: cassandra.NAME, storm.NIMBUS_PORT: "the cluster's Nimbus"}
    for port, name in defaults.items():
        if port in running or ports.is_free(port):
            continue
        fixed = port == storm.NIMBUS_PORT
        yield Finding(
            f"port {port}",
            WARN,
            f"Taken by another program on {socket.gethostname()}.",
            f"It is the default of {name}, which "
            + ("cannot use another: config.json names it." if fixed else "then takes a free one."),
            f"`ss -ltnp 'sport = :{port}'` shows who listens." if fixed else "",
        )


def _retention(settings: Settings) -> Iterator[Finding]:
    found = settings_findings(settings)
    for sentence in found:
        yield Finding("retention", WARN, sentence)
    if not found:
        yield Finding("retention", OK, "What is kept for how long fits together.")


def _shown(found: dict[str, int] | None) -> str:
    return ", ".join(f"{name} {port}" for name, port in (found or {}).items())
