"""One topology as a child of the run: `sparse run -n NAME` in a session of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from apps.local.memory import tree
from apps.local.storm.words import CHECKED, STARTED

_BIN = Path(sys.executable).parent
_TAIL_LINES = 40
_RESTARTED = "restarting the topology in place"


class Topology:
    """Starts, watches and ends `sparse run`; its output goes to a log file.

    What it writes to stderr (tracebacks of components, restarts) also goes to `told`.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        logs: Path,
        told: Callable[[str, str], None],
        command: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.log = logs / f"run-{name}.log"
        self.restarts = 0
        self.components = ""
        """How many of its components run, as "3 of 7"; "" before the first."""
        self._root = root
        self._command = command or [str(_BIN / "sparse"), "run", "-n", name]
        self._told = told
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._quiet = False
        self.started = False

    def start(self, environ: Mapping[str, str]) -> None:
        """Start the command. Two may start at once: their builds wait for each other."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(_BIN), environ.get("PATH", os.defpath)])
        self.log.write_bytes(b"")
        with self.log.open("ab") as out:  # as `_read` does: neither overwrites the other
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "apps.local.run.with_parent",
                    str(os.getpid()),
                    *self._command,
                ],
                cwd=self._root,
                env={**environ, "PATH": path, "PYTHONWARNINGS": "ignore", CHECKED: "yes"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name=f"{self.name}-stderr", daemon=True)
        self._reader.start()
        self.started = True

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The command's exit code, None while it runs."""
        return self._process.poll()

    def obituary(self) -> str:
        """What to tell when the command ended unasked: its code and the last it said."""
        self._reader.join(timeout=2)
        tail = "\n".join(self._tail) or "It printed nothing."
        return f"The topology {self.name} ended with code {self.code}.\n{tail}\nLog: {self.log}"

    def signal_stop(self) -> None:
        """End it as a Ctrl-C would; its last words are not shown. Once is enough."""
        if self._quiet:
            return
        self._quiet = True
        self._members = tree([self.pid])
        with suppress(ProcessLookupError):  # ended already
            os.killpg(self.pid, signal.SIGINT)

    def wait_stopped(self, limit: float) -> None:
        """Wait up to `limit` s after `signal_stop`, then kill whatever of it still lives."""
        members = {process.pid: process for process in [*self._members, *tree([self.pid])]}
        _, alive = psutil.wait_procs(list(members.values()), timeout=limit)
        for process in alive:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(alive, timeout=2)
        self._process.wait(timeout=5)

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self.log.open("a") as log, self._process.stderr as lines:
            for line in lines:
                log.write(line)
                log.flush()
                self._tail.append(line.rstrip())
                if _RESTARTED in line:
                    self.restarts += 1
                said = line.rstrip().removeprefix(f"{self.name}: ")
                if said.endswith(STARTED):
                    self.components = said.removesuffix(STARTED).strip()
                elif not self._quiet:
                    self._told(self.name, said)
