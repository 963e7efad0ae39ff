"""One at a time, across processes: others wait."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

BUILD = "build.lock"
"""Held by whoever runs Leiningen in a project: its `clean` disturbs another's build."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; it is given up when this process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
