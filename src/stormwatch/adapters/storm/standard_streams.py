"""A component's standard streams belong to its author, for Storm's pipes are taken off them.

Storm speaks to a component over descriptors 0 and 1. A child process, a shell or a C library that
writes to 1 would speak to Storm, and what it says is no message: the worker ends. So both pipes
get other numbers, which no child inherits: 1 becomes stderr, which Storm logs, and 0 is empty.
"""

import io
import logging
import os
import sys
from typing import Any, BinaryIO, TextIO

_LINE_BYTES = 64 << 10
"""A line that goes on without end is logged in parts."""


def take_pipes() -> tuple[int, BinaryIO]:
    """Storm's pipes: the descriptor to read, the stream to write. Once in a process."""
    snapshot, writing = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return snapshot, os.fdopen(writing, "wb")


def logged_stdout(logger: logging.Logger) -> TextIO:
    """A text stream whose lines become log lines, for `sys.stdout`."""
    lines: BinaryIO = _Lines(logger)  # type: ignore[assignment]  # all that a text stream needs
    return io.TextIOWrapper(lines, "utf-8", "backslashreplace", line_buffering=True)


class _Lines(io.BufferedIOBase):
    """Logs what is written, at level INFO: line by line, and what there is at a flush."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger, self._rest, self._busy = logger, b"", False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Descriptor 1, for who gives it to a child: stderr, by now."""
        return 1

    def write(self, data: Any) -> int:
        written = bytes(data)
        whole, _, self._rest = (self._rest + written).rpartition(b"\n")
        self._log(whole)
        if len(self._rest) >= _LINE_BYTES:
            self.flush()
        return len(written)

    def flush(self) -> None:
        rest, self._rest = self._rest, b""
        self._log(rest)

    def _log(self, lines: bytes) -> None:
        text = lines.decode("utf-8", "backslashreplace")
        if not text.strip():
            return
        if self._busy:  # a handler of the logger's writes to sys.stdout itself
            sys.stderr.write(f"{text}\n")
            return
        self._busy = True
        try:
            self._logger.info(text.rstrip("\r\n"))
        finally:
            self._busy = False
