"""A job of `stormwatch.engines.flink`: in a process of its own with Flink's mini cluster in it, or
submitted from there to a cluster."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from apps.local.flink import cluster, virtualenv
from apps.local.services import jars, java, process
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, Progress
from apps.operate import ledger
from stormwatch.adapters import connect
from stormwatch.engines.flink import use_case
from stormwatch.settings import Settings, to_environ

FLINK = java.Need("Flink", 17)
_RUNNING = "deciding from "
_FAILED = "error: "
_START_LIMIT_S = 600.0
_MARKERS = 20
"""Offsets without a record that are looked for at most at a partition's end; each takes seconds."""


class Options(NamedTuple):
    """What is asked of a job."""

    name: str
    once: bool
    parallelism: int
    interval_s: float
    heap_mb: int
    recorded: str = ""
    """The keyspace whose decisions say what was known of terminals; "" for none."""
    jobmanager: str = ""
    """HOST:PORT of the cluster that it is submitted to; "" for Flink's mini cluster."""


def run(
    settings: Settings,
    root: Path,
    options: Options,
    progress: Progress,
    running: Callable[[str], None],
    pause: Callable[[float], bool],
) -> None:
    """Decide until `pause` says to end; with `once`, until what is in the topic now is decided.

    `running` is told where the job begins. Raises ServiceError, SettingsError.
    """
    home = Home.of(settings, root)
    topic = use_case.check(settings, options.name, options.recorded)
    if options.jobmanager:
        job = use_case.job_name(settings, options.name)
        address = cluster.checked(options.jobmanager)
        if not cluster.await_room(address, job, options.parallelism, progress, pause):
            return
    words, environ = command(settings, home, options, progress)
    log = home.log(f"flink-{options.name}")
    started = process.spawn(words, log, environ, root, with_parent=True)
    try:
        begin = _begun(started, log, progress, pause)
        if not begin:
            return
        running(begin)
        _follow(settings, topic, started, log, progress, pause, once=options.once)
    finally:
        process.stop([started], grace_s=20.0)


def command(
    settings: Settings, home: Home, options: Options, progress: Progress
) -> tuple[list[str], Mapping[str, str]]:
    """What the process is started with, and its environment. What it needs is fetched where it is
    not there. Raises ServiceError."""
    found = java.java(FLINK)
    python = virtualenv.python(home, progress)
    jar = jars.flink_connector(home, progress)
    words = [
        str(python), "-m", "stormwatch.engines.flink.job", options.name,
        "--checkpoints", str(checkpoints(home, settings, options.name)), "--jar", str(jar),
        "--parallelism", str(options.parallelism), "--interval", str(options.interval_s),
        "--recorded", options.recorded, "--jobmanager", options.jobmanager,
    ]  # fmt: skip
    return words, _environ(settings, python, Path(found.path), home, options.heap_mb)


def checkpoints(home: Home, settings: Settings, name: str) -> Path:
    """Where a job's checkpoints are: they go with the keyspace that it writes and its group."""
    return home.run_dir / "flink" / f"{settings.cassandra_keyspace}-{settings.kafka_group}" / name


def _environ(
    settings: Settings, python: Path, found: Path, home: Home, heap_mb: int
) -> Mapping[str, str]:
    packages = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    logs = home.run_dir / "flink" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    own = {
        # In Flink's own threads Python finds packages by this alone, not by the virtualenv.
        "PYTHONPATH": f"{packages}{os.pathsep}{home.root / 'src'}",
        "PATH": f"{python.parent}{os.pathsep}{found.parent}{os.pathsep}{os.environ['PATH']}",
        "JDK_JAVA_OPTIONS": f"-Xmx{heap_mb}m {' '.join(java.FRUGAL)}",
        "FLINK_LOG_DIR": str(logs),
    }
    return {**os.environ, **java.FEW_ARENAS, **to_environ(settings), **own}


def _begun(
    started: process.Identity, log: Path, progress: Progress, pause: Callable[[float], bool]
) -> str:
    """Where it begins; "" where it was told to end before. Raises ServiceError."""
    begin = time.monotonic()
    while not pause(0.5):
        for line in _lines(log):
            if line.startswith(_RUNNING):
                return line.removeprefix(_RUNNING)
        _expect_alive(started, log)
        waited = time.monotonic() - begin
        if waited > _START_LIMIT_S:
            raise ServiceError(f"Flink did not start within {_START_LIMIT_S:g} s: see {log}.")
        progress(virtualenv.STEP, f"starting the job, {waited:.0f} s")
    return ""


def _follow(
    settings: Settings, topic: str, started: process.Identity, log: Path, progress: Progress,
    pause: Callable[[float], bool], *, once: bool,
) -> None:  # fmt: skip
    if not once:
        while not pause(1.0):
            _expect_alive(started, log)
        return
    with closing(connect.admin(settings)) as admin, closing(connect.store(settings)) as store:
        ends = _ends(settings, topic)
        total = sum(high - low for low, high in ends.values())
        while True:
            found = ledger.topic(settings, admin, store, topic, ends)
            count = sum(found.states.values())
            progress(virtualenv.STEP, f"{count:,} of {total:,} records have an end state")
            if count >= total or pause(1.0):
                return
            _expect_alive(started, log)


def _ends(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """(oldest offset, that after the last record) by partition.

    Behind the last record there may be offsets without one, as a transaction's marker: none of
    these has an end state before a record follows.
    """
    with closing(connect.source(settings, topic)) as source:
        info = source.describe()
        marks = {p: source.watermarks(p) for p in range(info.partitions if info else 0)}
        ends = {p: mark.high for p, mark in marks.items()}
        open_ = {p for p, mark in marks.items() if mark.low < mark.high}
        for _ in range(_MARKERS):
            open_ -= set(source.peek({p: ends[p] - 1 for p in open_}))
            for partition in open_:
                ends[partition] -= 1
            open_ = {p for p in open_ if ends[p] > marks[p].low}
            if not open_:
                break
    return {p: (mark.low, ends[p]) for p, mark in marks.items()}


def _expect_alive(started: process.Identity, log: Path) -> None:
    if process.find(started) is not None:
        return
    said = [line.removeprefix(_FAILED) for line in _lines(log) if line.startswith(_FAILED)]
    raise ServiceError(said[-1] if said else f"Flink's job ended:\n{process.tail(log)}\nSee {log}.")


def _lines(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()
    except OSError:
        return []
