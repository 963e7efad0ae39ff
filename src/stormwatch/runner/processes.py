"""Each task a process of its own, as under Storm: `streamparse_run` over real pipes. Real time."""

import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from stormwatch.runner.clock import Clock
from stormwatch.runner.host import News
from stormwatch.runner.multilang import END
from stormwatch.runner.plan import Plan
from stormwatch.runner.strand import STOPPED, Ended

_LEAVE_S = 5.0
"""A process whose input ended may take so long to go."""
_CLOSE = b""


class _Child:
    """A component's process with a thread for each of its pipes."""

    def __init__(self, task: int, command: list[str], folder: Path, news: "queue.Queue[News]"):
        self._task, self._news, self.dead = task, news, False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._out: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def send(self, data: bytes) -> None:
        self._out.put(data)

    def _write(self) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        with suppress(OSError, ValueError):  # the reader tells that it died
            while (data := self._out.get()) != _CLOSE:
                pipe.write(data)
                pipe.flush()
        with suppress(OSError):
            pipe.close()

    def _read(self) -> None:
        pipe, rest = self.process.stdout, b""
        assert pipe is not None
        while data := pipe.read1():  # type: ignore[attr-defined]
            whole, end, rest = (rest + data).rpartition(END)
            if whole and not self.dead:
                self._news.put(News(self._task, whole + end, None))
        pipe.close()
        code = self.process.wait()
        self.send(_CLOSE)
        self._errors.seek(0)
        why = self._errors.read().decode(errors="replace")[-4000:]
        self._errors.close()
        if not self.dead:
            self._news.put(News(self._task, b"", Ended(code, "" if code == STOPPED else why)))


class Processes:
    """The tasks of a plan as processes that import from `folder` (the project's src)."""

    def __init__(self, plan: Plan, clock: Clock, folder: Path) -> None:
        self._plan, self._clock, self._folder = plan, clock, folder
        self._children: dict[int, _Child] = {}
        self._news: queue.Queue[News] = queue.Queue()
        self._pids = tempfile.TemporaryDirectory(prefix="stormwatch-pids-")
        self.pid_dir = self._pids.name

    def start(self, task: int) -> None:
        """A new process."""
        component = self._plan.owner(task).component
        target = f"{component.__module__}.{component.__qualname__}"
        command = [sys.executable, "-m", "streamparse.run", target]
        self._children[task] = _Child(task, command, self._folder, self._news)

    def send(self, task: int, data: bytes) -> None:
        """Messages for a task."""
        self._children[task].send(data)

    def poll(self, until: float) -> News | None:
        """What the next task wrote; None at `until`."""
        try:
            return self._news.get(timeout=max(0.0, until - self._clock.now()))
        except queue.Empty:
            return None

    def kill(self, task: int) -> None:
        """As kill -9; what it wrote and was not read yet is not heard."""
        child = self._children.pop(task, None)
        if child is None:  # it is dead already
            return
        child.dead = True
        child.process.kill()
        child.process.wait()
        kept = []
        with suppress(queue.Empty):
            while True:
                kept.append(self._news.get_nowait())
        for news in kept:
            if news.task != task:
                self._news.put(news)

    def close(self) -> None:
        """End every process by the end of its input; kill what stays."""
        for child in self._children.values():
            child.dead = True
            child.send(_CLOSE)
        for child in self._children.values():
            try:
                child.process.wait(_LEAVE_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self._children.clear()
        self._pids.cleanup()
