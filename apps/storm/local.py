"""Storm's LocalCluster in a JVM, with the Python processes that hang on it."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import psutil

from apps.services import jars
from apps.services.environment import for_components
from apps.services.home import Home, Progress
from apps.services.java import java
from apps.services.prctl import end_with_parent
from apps.storm.journal import TRACEBACK

_RESOURCES = Path(__file__).parent / "resources"
_FOREVER = 2**31
_TERM_S = 4.0
_STDERR_CHARS = 8000
_FLAGS = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto")


class LocalCluster:
    """One start of a topology in local mode. `stop` leaves no process and no file in `tmp`."""

    def __init__(self, command: list[str], out: Path, tmp: Path, stderr: Path, lock: int) -> None:
        self._tmp = tmp
        self._stderr = stderr
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        with out.open("ab") as file:
            self._jvm = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(stderr),
                start_new_session=True,  # a Ctrl-C reaches us, who then end it in order
                pass_fds=[lock],
                preexec_fn=end_with_parent,  # noqa: PLW1509 (no thread runs here)
            )

    def exit_code(self) -> int | None:
        """None while the JVM runs."""
        return self._jvm.poll()

    def stderr(self, pid: int) -> str:
        """The end of what a component wrote to stderr, from its last traceback if there is one."""
        try:
            said = (self._stderr / str(pid)).read_text(errors="replace")[-_STDERR_CHARS:].strip()
        except OSError:
            return ""
        return said[max(said.rfind(TRACEBACK), 0) :]

    def stop(self) -> None:
        """End the JVM, then what is left of its Python processes (they end with their pipes)."""
        children = self._children()
        self._jvm.terminate()
        try:
            self._jvm.wait(_TERM_S)
        except subprocess.TimeoutExpired:
            self._jvm.kill()
            self._jvm.wait()
        _, left = psutil.wait_procs(children, timeout=_TERM_S / 2)
        for child in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(left, timeout=1)
        shutil.rmtree(self._tmp, ignore_errors=True)

    def _children(self) -> list[psutil.Process]:
        try:
            found: list[psutil.Process] = psutil.Process(self._jvm.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return found


def command(
    home: Home, jar: Path, flux: Path, log: Path, tmp: Path, progress: Progress
) -> list[str]:
    """The JVM's command. The topology's jar stands first: Storm takes resources/ from the first
    jar that has one."""
    classpath = [jar, *jars.classpath(home, jars.STORM, progress)]
    return [
        java(),
        *_FLAGS,
        f"-Dstorm.jar={jar}",
        f"-Dstorm.local.sleeptime={_FOREVER}",  # we end it: at once, and without its stack traces
        f"-Djava.io.tmpdir={tmp}",
        f"-Dstormwatch.log={log}",
        f"-Dlog4j2.configurationFile={_RESOURCES / 'log4j2.xml'}",
        f"-XX:ErrorFile={log.parent}/hs_err_storm_%p.log",
        "-cp",
        jars.joined(classpath),
        "org.apache.storm.LocalCluster",
        "org.apache.storm.flux.Flux",
        str(flux),
    ]


def _environment(stderr: Path) -> dict[str, str]:
    environ = for_components()
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
