"""Start, stop and show Kafka and Cassandra."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.local.services import cassandra, kafka, process, registry, storm, workers
from apps.local.services.errors import ServiceError
from apps.local.services.health import listens
from apps.local.services.home import Home, Progress, silent
from apps.local.services.lifecycle import ensure, halt, nothing, with_entries
from apps.local.services.plan import ServicePlan
from apps.local.services.registry import Entry
from stormwatch.addresses import KAFKA_PORT, Address, parse
from stormwatch.settings import SPANNER, Settings, explain, load

__all__ = ["ServiceStatus", "down", "ensure", "halt", "status", "up", "with_entries"]

_NAMED_BY = {
    kafka.NAME: ("kafka.bootstrap",),
    cassandra.NAME: ("cassandra.contact_points", "cassandra.port"),
}
STORE = "store"
"""As a name for `expect`: Cassandra, or what takes its place."""
_OURS = ("default", "running services")
_PLANS: dict[str, Callable[[Home, Progress], ServicePlan]] = {
    kafka.NAME: kafka.plan,
    cassandra.NAME: cassandra.plan,
}


@dataclass(frozen=True)
class ServiceStatus:
    """One service: `state` is running, external, stale (its process is gone) or stopped."""

    name: str
    state: str
    pid: int | None = None
    ports: dict[str, int] | None = None
    memory_mb: float | None = None
    uptime_s: float | None = None
    log: str | None = None
    detail: str = ""


def up(
    settings: Settings,
    root: Path,
    progress: Progress = silent,
    environ: Mapping[str, str] | None = None,
    meanwhile: Callable[[], None] = nothing,
) -> Settings:
    """Kafka and Cassandra answer when this returns; the settings then lead to them.

    What the settings name is used; the rest is started, unless it runs already. What this call
    started is stopped again if it cannot finish. Raises ServiceError, and what `meanwhile` raises:
    it is called while the services start.
    """
    home = Home.of(settings, root)
    ours = [name for name in _used(settings) if not _named(name, settings, root, environ)]
    with registry.locked(home):
        entries = ensure(home, {name: _PLANS[name] for name in ours}, progress, meanwhile)
    return with_entries(settings, entries)


def down(root: Path, progress: Progress = silent, settings: Settings | None = None) -> list[str]:
    """Stop what we started, all side by side and within 10 s; the names of what was stopped."""
    home = Home.of(settings or load(root=root), root)
    alone = [name for name in storm.ALL if workers.running(home)]
    if not home.registry.exists() and not alone:
        return []
    with registry.locked(home):
        return halt(home, list({**registry.read(home), **dict.fromkeys(alone)}), progress)


def status(root: Path, settings: Settings | None = None) -> list[ServiceStatus]:
    """Kafka and Cassandra, and whatever else was started."""
    settings = settings or load(root=root)
    home = Home.of(settings, root)
    known = registry.read(home)
    used = _used(settings)
    names = [*used, *(name for name in known if name not in used)]
    return [_status(name, known.get(name), settings, root) for name in names]


def again(name: str) -> str:
    """The command that starts a service which was ended."""
    return "./stormwatch cluster up" if name in storm.ALL else "./stormwatch up"


def _status(name: str, entry: Entry | None, settings: Settings, root: Path) -> ServiceStatus:
    if entry is None:
        if name in _PLANS and _source(name, root, None):
            return ServiceStatus(name, "external", detail=_address(name, settings))
        return ServiceStatus(name, "stopped")
    running = process.find(entry.identity)
    if running is None:
        gone = f"pid {entry.pid} is gone; it does not come back by itself: `{again(name)}`"
        return ServiceStatus(name, "stale", entry.pid, entry.ports, log=entry.log, detail=gone)
    return ServiceStatus(
        name,
        "running",
        entry.pid,
        entry.ports,
        running.memory_info().rss / 1e6,
        time.time() - entry.started,
        entry.log,
    )


def _named(name: str, settings: Settings, root: Path, environ: Mapping[str, str] | None) -> bool:
    """Whether a person's settings name this service; then it must be reachable."""
    source = _source(name, root, environ)
    if source is not None:
        reachable(name, settings, root, environ)
    return source is not None


def _source(name: str, root: Path, environ: Mapping[str, str] | None) -> str | None:
    """Where a person named this service, or None."""
    sources = {value.key: value.source for value in explain(environ, root)}
    found = (sources[key] for key in _NAMED_BY[name])
    return next((source for source in found if source not in _OURS), None)


def reachable(
    name: str, settings: Settings, root: Path, environ: Mapping[str, str] | None = None
) -> None:
    """Raises ServiceError when a service that the settings name accepts no connection."""
    where = _address(name, settings)
    if not any(listens(host, port) for host, port in _addresses(name, settings)):
        raise ServiceError(
            f"{name} at {where} (from {_source(name, root, environ)}) does not accept "
            "connections. Start it, correct that setting, or remove it: then `./stormwatch up` "
            f"starts a {name} of its own."
        )


def on_cassandra(settings: Settings) -> None:
    """Raises ServiceError where the settings name another store."""
    if settings.store == SPANNER:
        raise ServiceError(
            'This command works on Cassandra\'s tables, and store is "spanner". It is not made for '
            "Spanner (docs/on-spanner.md)."
        )


def expect(settings: Settings, root: Path, names: Sequence[str]) -> None:
    """Raises ServiceError where nobody listens at the address of one of these services.

    A look of milliseconds on this machine: a client would go on trying for many seconds. Of the
    STORE Cassandra is looked for, or nothing where another product is the store.
    """
    for each in names:
        if settings.store == SPANNER and each == STORE:
            continue
        if each == cassandra.NAME:
            on_cassandra(settings)
        name = cassandra.NAME if each == STORE else each
        if any(listens(host, port) for host, port in _addresses(name, settings)):
            continue
        if _source(name, root, None) is not None:
            reachable(name, settings, root)
        raise ServiceError(
            f"{name.title()} is not running: nothing listens at {_address(name, settings)}. "
            "`./stormwatch up` starts Kafka and Cassandra on this machine, `./stormwatch run` "
            "topologies and events too. One of your own is named by "
            f"{' and '.join(_NAMED_BY[name])}."
        )


def _used(settings: Settings) -> list[str]:
    """The services that a topology needs, of those that we can start."""
    return [name for name in _PLANS if settings.store != SPANNER or name != cassandra.NAME]


def _address(name: str, settings: Settings) -> str:
    return ",".join(str(each) for each in _addresses(name, settings))


def _addresses(name: str, settings: Settings) -> list[Address]:
    if name == kafka.NAME:
        return parse(settings.kafka_bootstrap, KAFKA_PORT)
    hosts = settings.cassandra_contact_points.split(",")
    return [Address(host, settings.cassandra_port) for host in hosts]
