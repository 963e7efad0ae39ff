"""What a run stands on: services, topics, tables. What it started it stops again."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from apps.local import services
from apps.local.run import prepare
from apps.local.services import jars, java, lifecycle, process, registry
from stormwatch.archive import Archive
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings

Progress = Callable[[str, str], None]
_CLOSE_S = 1.0
"""A connection to a service that is down may not close at once; nobody waits for it."""


class RunServices:
    """Kafka and Cassandra, ready to use while entered.

    Services that were up before stay up afterwards. Raises StormwatchError, and what `meanwhile`
    raises, which is called while they start.
    """

    settings: Settings
    admin: Admin
    store: Archive

    def __init__(
        self,
        settings: Settings,
        root: Path,
        progress: Progress,
        meanwhile: Callable[[], None] = lifecycle.nothing,
    ) -> None:
        self.settings = settings
        self._root = root
        self._progress = progress
        self._meanwhile = meanwhile
        self._home = services.Home.of(settings, root)
        self._started: list[str] = []
        self._open: list[Admin | Store] = []
        self._stopping: threading.Thread | None = None

    def __enter__(self) -> "RunServices":
        java.java(java.storm(self._home.root))  # before anything is fetched or started
        before = set(self.pids())
        self.settings = services.up(
            self.settings, self._root, self._progress, meanwhile=self._meanwhile
        )
        from stormwatch.adapters import connect

        self._started = [name for name in self.pids() if name not in before]
        try:
            jars.classpath(self._home, jars.STORM, self._progress)
            self.admin = connect.admin(self.settings)
            self._open.append(self.admin)
            prepare.ensure(self.settings, self._root, self.admin, self._progress)
            self.store = connect.archive(self.settings)
            self._open.append(self.store)
        except BaseException:  # also at Ctrl-C: without `with` nobody else closes it
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def pids(self) -> dict[str, list[int]]:
        """Service -> pids, of those that we run on this machine."""
        return {
            name: [entry.pid]
            for name, entry in registry.read(self._home).items()
            if process.find(entry.identity)
        }

    def begin_to_stop(self) -> None:
        """Leave, and stop the services that this run started, beside what its caller does.

        Nothing needs them any more: the topologies are idle and everything is written.
        """
        if self._stopping is None:
            self._stopping = threading.Thread(target=self._stop)
            self._stopping.start()

    def close(self) -> None:
        """Return when the connections are closed and the services that this run started gone."""
        self.begin_to_stop()
        assert self._stopping is not None
        self._stopping.join()

    def _stop(self) -> None:
        closing = [threading.Thread(target=port.close, daemon=True) for port in self._open]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(timeout=_CLOSE_S)
        if self._started:
            with registry.locked(self._home):
                lifecycle.halt(self._home, self._started, self._progress)
