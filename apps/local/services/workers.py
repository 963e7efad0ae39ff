"""The workers of a cluster on this machine. They outlive the daemons that launched them."""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from apps.local.services import ports, process
from apps.local.services.home import Home, Progress
from apps.operate import nimbus

_FORGET_S = 2.0
"""Until Nimbus no longer names a topology that it was told to kill."""
_MAIN = "org.apache.storm.daemon.worker.Worker"
_LOG_WRITER = "org.apache.storm.LogWriter"
"""Each worker's parent, with the worker's whole command line in its own."""
_ID = re.compile(r"(?P<name>.+)-\d+-\d+")


class Worker(NamedTuple):
    """A worker that lives."""

    topology: str
    port: int
    """Of the supervisor's slot that it holds."""


def running(home: Home) -> list[Worker]:
    """The workers that live, whether or not a supervisor looks after them."""
    out = []
    for candidate, arguments in _found(home):
        with contextlib.suppress(psutil.Error, ValueError, IndexError):
            if _LOG_WRITER not in candidate.cmdline():
                topology, _, _, port, *_ = arguments
                out.append(Worker(name_of(topology), int(port)))
    return out


def processes(home: Home) -> list[process.Identity]:
    """Processes of workers of this cluster with all below them, whoever is their parent by now."""
    out = []
    for candidate, _ in _found(home):
        with contextlib.suppress(psutil.Error):
            family = [candidate, *candidate.children(recursive=True)]
            out += [process.Identity(p.pid, p.create_time()) for p in family]
    return out


def _found(home: Home) -> Iterator[tuple[psutil.Process, list[str]]]:
    """Processes of workers with what each was told: topology, supervisor, its port, slot, id."""
    mark = f"-Dstorm.home={home.storm}"
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = candidate.cmdline()
            if mark in command and _MAIN in command:
                yield candidate, command[command.index(_MAIN) + 1 :]


def name_of(identity: str) -> str:
    """The topology's name in the id that Nimbus gave it: name, count, time."""
    found = _ID.fullmatch(identity)
    return found["name"] if found else identity


def stored(home: Home) -> set[str]:
    """Names of the topologies that Nimbus keeps on disk, and runs when it is started again."""
    files = (home.storm / "local" / "blobs").glob("*/data_*-stormcode.ser*")
    names = (path.name.removeprefix("data_").partition("-stormcode.ser")[0] for path in files)
    return {name_of(name) for name in names}


def kill_topologies(home: Home, thrift: int | None, progress: Progress) -> set[str]:
    """Kill what runs, so that the next start of the cluster does not run it again.

    The names of those that it does run again: no Nimbus was there (`thrift` is None) or answered.
    """
    found = nimbus.ask(ports.HOST, thrift) if thrift is not None else None
    if found is None or thrift is None:
        return stored(home)
    left = set()
    for name in found.topologies:
        progress(nimbus.NAME, f"killing the topology {name}")
        if not nimbus.kill(ports.HOST, thrift, name):
            left.add(name)
    end = time.monotonic() + _FORGET_S
    while found and set(found.topologies) - left and time.monotonic() < end:
        time.sleep(0.2)
        found = nimbus.ask(ports.HOST, thrift)
    return left
