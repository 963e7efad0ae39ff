"""Where the services of one project live."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stormwatch.settings import SERVICES_FILE, Settings

Progress = Callable[[str, str], None]
"""Called with a step and what it is doing, at least every second while it waits."""


def silent(step: str, detail: str) -> None:
    """The progress of callers that show none."""


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
