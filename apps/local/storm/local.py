"""Storm's LocalCluster in a JVM, with the Python processes that hang on it, and its ZooKeeper.

The ZooKeeper that Storm would start within its own JVM listens on all interfaces and asks for no
password; whoever writes to it directs Storm. So it gets one on loopback. That also turns on the
message time-out, as on a cluster: with its own, Storm never takes back a tuple.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from apps.local.services import jars, java, ports
from apps.local.services.environment import for_components
from apps.local.services.home import Home, Progress
from apps.local.services.prctl import end_with_parent
from apps.local.services.storm import ZOOKEEPER_MAIN, zookeeper_config
from apps.local.storm.journal import TRACEBACK

_RESOURCES = Path(__file__).parent / "resources"
_FOREVER = 2**31
_TERM_S = 4.0
_REST_S = 1.0
_LOOK_S = 0.02
_STDERR_CHARS = 8000
_FLAGS = ("-XX:+UseSerialGC", *java.FRUGAL, "-Xshare:auto", java.C1_ALONE)
"""C1 alone: Storm hands bytes on to Python, whose speed decides; C2 would only cost memory."""
STORM = ("-Xms64m", "-Xmx512m")
JVM_OPTIONS = "STORM_JAR_JVM_OPTS"
"""Environment: options of Storm's JVM, added after ours, as Storm's own `storm jar` takes them."""
_OPTIONS = (
    "nimbus.monitor.freq.secs=1",
    "storm.metricstore.class=org.apache.storm.metricstore.NoOpMetricStore",
    "supervisor.localizer.update.blob.interval.secs=2000000000",
    "supervisor.localizer.cleanup.interval.ms=2000000000",
)
"""Nimbus looks once a second, not once in ten, for a topology that no supervisor runs yet: at each
start, and each restart in place, up to ten seconds went by with nothing to do.
What local mode need not do: write figures, which only Storm's UI shows, into a RocksDB each
minute; look for a newer jar of the topology, and for jars to delete, every 30 s, by up to 28
threads and their connections to ZooKeeper, made for each look and ended after it."""
_ZOOKEEPER = ("-Xms32m", "-Xmx32m", "-XX:+AlwaysPreTouch")


class Commands(NamedTuple):
    """The two JVMs of a run. Added at each start: where ZooKeeper is, and its configuration."""

    storm: list[str]
    zookeeper: list[str]


class LocalCluster:
    """One start of a topology in local mode. `stop` leaves no process and no file in `tmp`."""

    def __init__(self, commands: Commands, out: Path, tmp: Path, stderr: Path, lock: int) -> None:
        self._tmp = tmp
        self._stderr = stderr
        self._out = out
        self._lock = lock
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        port = ports.free()
        config = zookeeper_config(tmp / "zookeeper", port)
        self._zookeeper = self._start([*commands.zookeeper, str(config)])
        program, *rest = commands.storm
        self._jvm = self._start([program, f"-Dstorm.local.zookeeper={ports.HOST}:{port}", *rest])

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        with self._out.open("ab") as file:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(self._stderr),
                start_new_session=True,  # a Ctrl-C reaches us, who then end it in order
                pass_fds=[self._lock],
                preexec_fn=end_with_parent,  # noqa: PLW1509 (no thread runs here)
            )

    def exit_code(self) -> int | None:
        """None while Storm runs; of ZooKeeper if that has ended, for Storm then does nothing."""
        code = self._jvm.poll()
        return self._zookeeper.poll() if code is None else code

    def zookeeper_ended(self) -> bool:
        """Whether ZooKeeper ended, which takes Storm along: it is then to blame."""
        return self._zookeeper.poll() is not None

    def stderr(self, pid: int) -> str:
        """The end of what a component wrote to stderr, from its last traceback if there is one."""
        try:
            said = (self._stderr / str(pid)).read_text(errors="replace")[-_STDERR_CHARS:].strip()
        except OSError:
            return ""
        return said[max(said.rfind(TRACEBACK), 0) :]

    def rest(self, spouts: Iterable[int]) -> None:
        """Before an orderly stop: let these processes commit and end. Storm would not tell them."""
        asked = []
        for pid in spouts:
            with contextlib.suppress(psutil.NoSuchProcess):
                asked.append(psutil.Process(pid))
                asked[-1].terminate()
        psutil.wait_procs(asked, timeout=_REST_S)

    def stop(self) -> None:
        """End the JVM, then what is left of its Python processes (they end with their pipes)."""
        children = self._children()
        self._jvm.terminate()
        try:
            self._jvm.wait(_TERM_S)
        except subprocess.TimeoutExpired:
            self._jvm.kill()
            self._jvm.wait()
        self._zookeeper.kill()  # nothing that it holds is wanted again
        self._zookeeper.wait()
        children |= self._children()  # one that it started as it ended is ours only now
        for child in _ended(children, _TERM_S / 2):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        _ended(children, 1.0)
        shutil.rmtree(self._tmp, ignore_errors=True)

    def _children(self) -> set[psutil.Process]:
        """All below us but the JVMs: those of a JVM that died are ours by now."""
        ours = (self._jvm.pid, self._zookeeper.pid)
        return {p for p in psutil.Process().children(recursive=True) if p.pid not in ours}


def _ended(children: Iterable[psutil.Process], limit: float) -> list[psutil.Process]:
    """Wait for them, so that none stays as a zombie; those that are left after `limit` s.

    Most become our children only when their JVM ends, which `psutil.wait_procs` does not see.
    """
    until = time.monotonic() + limit
    left = list(children)
    while left := [child for child in left if not _reaped(child)]:
        if time.monotonic() > until:
            break
        time.sleep(_LOOK_S)
    return left


def _reaped(child: psutil.Process) -> bool:
    try:
        return os.waitpid(int(child.pid), os.WNOHANG)[0] != 0
    except ChildProcessError:  # not ours, or not yet
        return not alive(child.pid)


def commands(
    home: Home, jar: Path, flux: Path, log: Path, tmp: Path, progress: Progress
) -> Commands:
    """How both are started. The topology's jar stands first: Storm takes resources/ from the first
    jar that has one."""
    program = java.java(java.storm(home.root)).path
    classpath = jars.classpath(home, jars.STORM, progress)
    jvm = [
        program,
        *_FLAGS,
        f"-XX:ErrorFile={log.parent}/hs_err_storm_%p.log",
        f"-Dlog4j2.configurationFile={_RESOURCES / 'log4j2.xml'}",
    ]
    own_log = f"-Dstormwatch.log={log.with_name(f'{log.stem}-zookeeper.log')}"
    zookeeper = [*jvm, own_log, *_ZOOKEEPER, "-cp", jars.joined(classpath), ZOOKEEPER_MAIN]
    storm = [
        *jvm,
        *STORM,
        f"-Dstorm.options={','.join(_OPTIONS)}",
        *shlex.split(os.environ.get(JVM_OPTIONS, "")),
        f"-Dstorm.jar={jar}",
        f"-Dstorm.local.sleeptime={_FOREVER}",  # we end it: at once, and without its stack traces
        f"-Djava.io.tmpdir={tmp}",
        f"-Dstormwatch.log={log}",
        "-cp",
        jars.joined([jar, *classpath]),
        "org.apache.storm.LocalCluster",
        "org.apache.storm.flux.Flux",
        str(flux),
    ]
    return Commands(storm, zookeeper)


def _environment(stderr: Path) -> dict[str, str]:
    environ = java.FEW_ARENAS | for_components()
    path = environ["PATH"]
    environ["STORMWATCH_STREAMPARSE_RUN"] = shutil.which("streamparse_run", path=path) or ""
    environ["STORMWATCH_STDERR"] = str(stderr)
    return environ | {"PATH": f"{_RESOURCES / 'bin'}{os.pathsep}{path}"}


def alive(pid: int) -> bool:
    """Whether a component's process still works for the JVM."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
