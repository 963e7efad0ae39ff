"""The workers of a cluster on this machine. They outlive the daemons that launched them."""

import contextlib
import time

import psutil

from apps.local.services import nimbus, ports, process, storm
from apps.local.services.home import Home, Progress

_FORGET_S = 2.0
"""Until Nimbus no longer names a topology that it was told to kill."""


def kill_topologies(thrift: int, progress: Progress) -> None:
    """Kill what runs, so that the next start of the cluster does not run it again."""
    found = nimbus.ask(ports.HOST, thrift)
    for name in found.topologies if found else ():
        progress(storm.NIMBUS, f"killing the topology {name}")
        nimbus.kill(ports.HOST, thrift, name)
    end = time.monotonic() + _FORGET_S
    while found and found.topologies and time.monotonic() < end:
        time.sleep(0.2)
        found = nimbus.ask(ports.HOST, thrift)


def processes(home: Home) -> list[process.Identity]:
    """Processes of workers of this cluster, whoever is their parent by now."""
    mark = f"-Dstorm.home={storm.base(home)}"
    out = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = candidate.cmdline()
            if mark in command and "org.apache.storm.daemon.worker.Worker" in command:
                family = [candidate, *candidate.children(recursive=True)]
                out += [process.Identity(p.pid, p.create_time()) for p in family]
    return out
