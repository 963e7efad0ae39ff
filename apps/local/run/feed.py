"""The run's end of a publisher process: orders, words and progress over its pipes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from apps.data.streams import Stream
from apps.local.run.publisher import Order, Progress, Word

_STOP_S = 15.0


class PublisherProcess:
    """Publishes one stream from a process of its own, so that it shares no GIL with the watching.

    The process ends with its stdin: it never outlives the run.
    """

    def __init__(self, stream: Stream, order: Order, root: Path, logs: Path) -> None:
        self.stream = stream
        self.sent = 0
        self.error = ""
        self._log = (logs / f"publish-{stream.topology}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "apps.local.run.publisher"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        self._say(msgspec.json.encode(order))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, word: Word) -> None:
        """Pass a change on; nothing if the process has ended."""
        self._say(msgspec.json.encode(word))

    def stop(self, limit: float = _STOP_S) -> None:
        """Stop publishing; returns when all that was sent is confirmed, or after `limit` s."""
        self.tell(Word(stop=True))
        try:
            self._process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            self.error = self.error or f"{self.stream.events} did not stop within {limit:g} s"
            self._process.kill()
            self._process.wait(timeout=5)
        self._reader.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                continue

    @property
    def failure(self) -> str:
        """Why it ended unasked; empty while it runs or after a good end."""
        if self.error:
            return self.error
        code = self._process.poll()
        if code:
            return f"publishing {self.stream.events} ended with code {code}; see {self._log.name}"
        return ""

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # it ended; `failure` tells why

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            progress = msgspec.json.decode(line, type=Progress)
            self.sent = progress.sent
            self.error = progress.error
