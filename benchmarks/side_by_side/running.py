"""Contenders as processes: installed, started, ended."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from apps.local.flink import job, virtualenv
from apps.local.services import jars
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home
from apps.local.storm.words import CHECKED
from benchmarks import engine_project
from benchmarks.contenders import tutorial
from benchmarks.side_by_side.catalogue import CASSANDRA, FLINK, Contender
from benchmarks.side_by_side.own_services import ROOT
from stormwatch.settings import Settings, to_environ

INSTALL_LIMIT_S = 900.0
VENVS = ROOT / ".stormwatch" / "bench-venvs"
_HOME = Home(ROOT, ROOT / ".stormwatch", ROOT / ".stormwatch" / "jars")


class NotInstalledError(Exception):
    """A contender's packages cannot be had; the text says why."""


def installed(needs: str, name: str) -> Path:
    """The interpreter of an environment that has these packages, made at the first use. Raises
    NotInstalledError."""
    folder = VENVS / name
    python = folder / "bin" / "python"
    if (folder / "installed").exists():
        return python
    print(f"installing {needs} for the benchmark, once", file=sys.stderr, flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *needs.split()], check=True,
            capture_output=True, text=True, timeout=INSTALL_LIMIT_S,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        last = (str(error.stderr or "").strip().splitlines() or ["no message"])[-1]
        raise NotInstalledError(f"cannot be installed: {last[:200]}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise NotInstalledError(f"cannot be installed: {str(error)[:200]}") from error
    (folder / "installed").touch()
    return python


class Running:
    """The processes of one contender."""

    def __init__(self, contender: Contender, settings: Settings, topic: str, out: str) -> None:
        """`out`: the topic of its decisions, or where it tells when they were stored. Raises
        NotInstalledError."""
        self.contender = contender
        logs = ROOT / settings.run_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._log = (logs / "bench-peers.log").open("a")
        folder, commands, more = _commands(contender, settings, topic, out)
        environ = os.environ | to_environ(settings) | {"OMP_NUM_THREADS": "1", **more}
        environ |= {"OPENBLAS_NUM_THREADS": "1", CHECKED: "yes"}  # contenders are not linted
        self.children = [
            subprocess.Popen(command, cwd=folder, env=environ, stdout=self._log, stderr=self._log,
                             stdin=subprocess.DEVNULL, start_new_session=True)
            for command in commands
        ]  # fmt: skip

    @property
    def pids(self) -> list[int]:
        """Of those that were started; they have children."""
        return [child.pid for child in self.children]

    @property
    def failed(self) -> bool:
        """Whether one of them is gone; the bare loop ends by itself when all is decided."""
        return any(
            child.poll() is not None and (child.returncode or self.contender.script != "bare")
            for child in self.children
        )

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """All of them, with what they started."""
        tree = [each for pid in self.pids for each in _tree(pid)]
        if how is signal.SIGKILL:
            for process in tree:
                with suppress(psutil.Error):
                    process.kill()
        for child in self.children:
            if child.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, how)
        _, left = psutil.wait_procs(tree, timeout=20)
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        for child in self.children:
            child.wait()
        self._log.close()


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _commands(
    contender: Contender, settings: Settings, topic: str, out: str
) -> tuple[Path, list[list[str]], dict[str, str]]:
    """Where, what, and what more there is in the environment."""
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    sparse = str(Path(sys.executable).with_name("sparse"))
    tasks = range(contender.processes)
    if contender.script == "tutorial":
        folder = tutorial.build(ROOT, settings.kafka_bootstrap, topic, out)
        return folder, [[sparse, "run", "-n", "tutorial"]], path
    if contender.script == "topology":
        if contender.into == CASSANDRA:
            return ROOT, [[sparse, "run", "-n", contender.domain]], path
        folder = engine_project.build(ROOT, contender.domain)
        return folder, [[sparse, "run", "-n", "engine"]], path
    if contender.script == "bare":
        flags = ["--tasks", str(contender.processes)]
        flags += [] if contender.into == CASSANDRA else ["--engine-only"]
        module = [sys.executable, "-m", "benchmarks.bare_loop"]
        return ROOT, [[*module, "--task", str(nth), *flags] for nth in tasks], path
    if contender.script == "on_flink":
        options = job.Options(contender.domain, False, contender.processes, 10.0, 1_024)
        try:
            words, more_of = job.command(settings, _HOME, options, _told)
        except ServiceError as error:
            raise _refused(error) from error
        return ROOT, [words], dict(more_of)
    python, more, processes = Path(sys.executable), list(contender.more), contender.processes
    if contender.needs == FLINK:
        python, more, processes, path = _flink(settings, contender)
    elif contender.needs:
        python = installed(contender.needs, contender.needs.partition("==")[0])
        # msgspec, numpy and the rest, behind its own packages
        site = Path(psutil.__file__).parents[1]
        own = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
        path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{own}:{site}"}
        more.append(str(free_port()))
    words = [settings.kafka_bootstrap, topic, out, settings.kafka_group]
    module = [str(python), "-m", f"benchmarks.contenders.{contender.script}"]
    commands = [
        [*module, *words, str(nth), str(processes), contender.domain, *more]
        for nth in range(processes)
    ]
    return ROOT, commands, path


def _flink(settings: Settings, contender: Contender) -> tuple[Path, list[str], int, dict[str, str]]:
    """One process, whose tasks are as many as the contender's processes."""
    try:
        python = virtualenv.python(_HOME, _told)
        jar = jars.flink_connector(_HOME, _told)
    except ServiceError as error:
        raise _refused(error) from error
    packages = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    path = {
        "PYTHONPATH": f"{packages}:{ROOT}:{ROOT / 'src'}",
        "PATH": f"{python.parent}:{os.environ['PATH']}",
    }
    return python, [str(jar), str(contender.processes)], 1, path


def _told(step: str, detail: str) -> None:
    print(step, detail, file=sys.stderr, flush=True)


def _refused(error: ServiceError) -> NotInstalledError:
    return NotInstalledError(f"cannot be installed: {str(error).splitlines()[0]}")


def free_port() -> int:
    """The first of some in a row, of which one is seen to be free."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
