"""Where the services of one project live."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stormwatch.settings import SERVICES_FILE, Settings

Progress = Callable[[str, str], None]
"""Called with a step and what it is doing, at least every second while it waits."""


def silent(step: str, detail: str) -> None:
    """The progress of callers that show none."""


_DEFAULT_NAME = Settings().run_dir
_GENERATIONS = 5


def private(run_dir: Path) -> None:
    """Data and logs are for their owner alone: payments, customers, payloads of other programs.

    A folder that somebody made and named himself keeps the rights that he gave it.
    """
    with suppress(OSError):  # whoever writes there says what is wrong
        run_dir.parent.mkdir(parents=True, exist_ok=True)
        run_dir.mkdir(mode=0o700, exist_ok=True)
        found = run_dir.stat()
        ours = run_dir.name == _DEFAULT_NAME and found.st_uid == os.getuid()
        if ours and found.st_mode & 0o077:
            run_dir.chmod(0o700)


def set_aside(log: Path) -> None:
    """Keep the log of the run before as `.old`, and those before it as `.old.2` to `.old.5`.

    What went wrong first is seldom in the log of the last try.
    """
    names = [log.with_suffix(".log.old")]
    names += [log.with_suffix(f".log.old.{n}") for n in range(2, _GENERATIONS + 1)]
    for older, newer in zip(reversed(names), reversed([log, *names[:-1]]), strict=True):
        if newer.exists():
            newer.replace(older)


@dataclass(frozen=True)
class Home:
    """Paths of one set of services; all absolute."""

    root: Path
    """Holds project.clj."""
    run_dir: Path
    """Data, logs and pid records of what we started."""
    jars: Path
    """Class paths resolved from project.clj; shared by the run directories of a project."""

    @classmethod
    def of(cls, settings: Settings, root: Path) -> "Home":
        """The project's own home. A relative `run_dir` is taken from `root`."""
        run_dir = (root / settings.run_dir).resolve()
        return cls(root.resolve(), run_dir, run_dir / "jars")

    @property
    def registry(self) -> Path:
        """The record of what runs; settings.py reads its `settings` too."""
        return self.run_dir / SERVICES_FILE

    @property
    def storm(self) -> Path:
        """Storm's home directory: configuration, data, logs, and the jars of workers."""
        return self.run_dir / "storm"

    def log(self, service: str) -> Path:
        """The log file of a service."""
        return self.run_dir / "logs" / f"{service}.log"
