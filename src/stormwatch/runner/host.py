"""Where tasks run: in this process (`Threads`) or each in its own (`Processes`)."""

from typing import NamedTuple, Protocol

from stormwatch.runner.strand import Ended


class News(NamedTuple):
    """What a task wrote, and whether it ended."""

    task: int
    data: bytes
    ended: Ended | None


class Host(Protocol):
    """Starts, feeds, hears and ends tasks."""

    pid_dir: str
    """Folder for the files that name components' process ids."""

    def start(self, task: int) -> None:
        """A new instance of the task's component."""

    def send(self, task: int, data: bytes) -> None:
        """Messages for a task."""

    def poll(self, until: float) -> News | None:
        """What one task wrote; None at `until`, on the run's clock."""

    def kill(self, task: int) -> None:
        """As kill -9: nothing more is heard of it."""

    def close(self) -> None:
        """End every component by the end of its input."""
