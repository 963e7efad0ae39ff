"""A Kafka and a Cassandra for one benchmark alone, whatever the settings of a project name."""

import atexit
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from apps.local.services import cassandra, kafka, registry
from apps.local.services.home import Home, Progress
from apps.local.services.lifecycle import ensure, halt
from stormwatch.settings import variable

ROOT = Path(__file__).resolve().parents[2]
RUN_DIR = ".stormwatch/bench"
_PLANS = {kafka.NAME: kafka.plan, cassandra.NAME: cassandra.plan}


@contextmanager
def own_services(progress: Progress) -> Iterator[dict[str, int]]:
    """Name -> pid of services that were started for this, and end with it, their data too.

    Meanwhile the environment of this process leads to them: it counts before files and before
    services that run already, so that no benchmark writes to what others use. One benchmark at a
    time: the next one waits for the lock of its folder. Raises ServiceError.
    """
    run_dir = (ROOT / RUN_DIR).resolve()
    home = Home(ROOT, run_dir, run_dir.parent / "jars")
    before = dict(os.environ)
    with registry.locked(home):
        _clear(run_dir)
        with suppress(FileExistsError):  # the topologies look for jars there
            (run_dir / "jars").symlink_to(home.jars)
        plans = {
            name: lambda at, told, plan=plan: replace(plan(at, told), with_parent=True)
            for name, plan in _PLANS.items()
        }
        entries = ensure(home, plans, progress)
        end = atexit.register(halt, home, list(_PLANS), progress)
        before_term = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: in order
        try:
            found = {key: str(value) for entry in entries for key, value in entry.settings.items()}
            for key, value in {**found, "run_dir": str(run_dir), "source": "kafka"}.items():
                os.environ[variable(key)] = value
            os.environ[variable("store")] = "cassandra"
            yield {entry.name: entry.pid for entry in entries}
        finally:
            os.environ.clear()
            os.environ.update(before)
            signal.signal(signal.SIGTERM, before_term)
            atexit.unregister(end)
            halt(home, list(_PLANS), progress)
            _clear(run_dir)


def _clear(run_dir: Path) -> None:
    """Data of a run before, which may have been killed."""
    for name in _PLANS:
        shutil.rmtree(run_dir / name, ignore_errors=True)
    (run_dir / "services.json").unlink(missing_ok=True)
