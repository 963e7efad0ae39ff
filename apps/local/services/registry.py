"""What we started, in services.json: pids, ports, and the settings that lead to them."""

import json
import os
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from apps.local.services import locks, process
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, private
from apps.local.services.process import Identity


@dataclass(frozen=True)
class Entry:
    """One service that we started."""

    name: str
    pid: int
    started: float
    ports: dict[str, int]
    log: str
    settings: dict[str, str | int] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        """For process.find and process.stop."""
        return Identity(self.pid, self.started)


def read(home: Home) -> dict[str, Entry]:
    """What was started, dead or alive, by name."""
    try:
        services = json.loads(home.registry.read_text())["services"]
        return {name: Entry(**entry) for name, entry in services.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            f"{home.registry} cannot be read ({error}). See with `ps` that no Kafka, Cassandra or "
            "Storm of this project runs, then delete that file."
        ) from error


def ports(home: Home, name: str) -> dict[str, int]:
    """Those of the last start of a service that was not stopped since; else none."""
    entry = read(home).get(name)
    return entry.ports if entry else {}


def running(home: Home, name: str) -> bool:
    """Whether it was started and its process still lives."""
    entry = read(home).get(name)
    return entry is not None and process.find(entry.identity) is not None


def put(home: Home, entry: Entry) -> None:
    """Record a service."""
    _write(home, read(home) | {entry.name: entry})


def remove(home: Home, *names: str) -> None:
    """Forget services."""
    _write(home, {name: entry for name, entry in read(home).items() if name not in names})


def locked(home: Home) -> AbstractContextManager[None]:
    """One start or stop at a time: others wait."""
    private(home.run_dir)
    return locks.locked(home.run_dir / "services.lock")


def _write(home: Home, entries: dict[str, Entry]) -> None:
    if not entries:
        Path(home.registry).unlink(missing_ok=True)
        return
    settings: dict[str, str | int] = {}
    for entry in entries.values():
        settings |= entry.settings
    document = {"settings": settings, "services": {n: asdict(e) for n, e in entries.items()}}
    fresh = home.registry.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(document, indent=2) + "\n")
    fresh.replace(home.registry)
