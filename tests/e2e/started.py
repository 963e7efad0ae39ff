"""`./stormwatch run` in the background, and what it says."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from tests.e2e.project import ROOT

START_LIMIT_S = 280.0  # on a busy machine; about 30 s on two idle cores


class Started:
    """A command in the background and what it says."""

    def __init__(
        self, run_dir: Path, *arguments: str, command: str = "run", **environ: str
    ) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", command, *arguments],
            cwd=ROOT,
            env={
                **kept,
                "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
                "STORMWATCH_RUN_DIR": str(run_dir),
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.seen: set[psutil.Process] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self.said)

    def until(self, word: str, limit: float = START_LIMIT_S) -> None:
        end = time.monotonic() + limit
        while word not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < end, f"{word!r} is not in time:\n{self.text}"
            self.look()
            time.sleep(0.2)

    def look(self) -> list[psutil.Process]:
        """Remember all that it has started."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.seen.update(found)
        return found

    def wait(self, limit: float) -> int:
        end = time.monotonic() + limit
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self.look()
            time.sleep(0.1)
        self._reader.join(10)
        return self.process.returncode

    def left(self) -> list[str]:
        """What it started and did not end."""
        living = [p for p in self.seen if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        return [" ".join(process.cmdline())[:200] for process in living]

    def end(self) -> None:
        self.look()
        for process in [*self.seen, psutil.Process()][:-1]:
            if process.is_running():
                process.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
