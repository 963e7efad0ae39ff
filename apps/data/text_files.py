"""Text files of any size, gzipped or not, and pipes, in bounded memory."""

import gzip
import io
import select
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from stormwatch.adapters.kafka.buffered_source import MAX_RECORD_BYTES
from stormwatch.errors import StormwatchError

PIECE = 64 << 10
LOOK_PIECES = 100
"""Pieces looked at most, before the first one is given, to tell the format."""
_STOP_LOOKED_AT_S = 0.25


class FileError(StormwatchError):
    """A file cannot be published. Says why and what would do."""


class Text:
    """A file's text in pieces: each ends with its line, or is PIECE bytes of a longer one.

    A regular file is open only while it is read; a pipe from the first look on, and it is read
    once. `line` is the number of the line in work. What is asked for raises FileError where the
    file cannot be read or breaks off. A pipe ends early once `stopped` says so.
    """

    def __init__(self, path: Path, stopped: Callable[[], bool] = lambda: False) -> None:
        self.path, self.line = path, 0
        self._stopped = stopped
        self._looked: list[bytes] = []
        self._rest = self._read()

    def look(self) -> Iterator[bytes]:
        """The first pieces that begin a line and are not blank, stripped. They are not used up."""
        begins = True
        for piece in self._rest:
            self._looked.append(piece)
            if begins and piece.strip():
                yield piece.strip()
            begins = piece.endswith(b"\n")
            if len(self._looked) >= LOOK_PIECES:
                return

    def rewind(self) -> None:
        """After looking: nothing was read yet. Closes a regular file until it is read."""
        if self.path.is_file():
            self._rest.close()
            self._rest, self._looked = self._read(), []

    def pieces(self) -> Iterator[bytes]:
        """All of it, once."""
        looked, self._looked = self._looked, []
        return chain(looked, self._rest)

    def lines(self) -> Iterator[bytes]:
        """All of its lines, once, without their ends. Raises FileError at one over 12 MB."""
        parts: list[bytes] = []
        size = 0
        for piece in self.pieces():
            if not parts:
                self.line += 1
            parts.append(piece)
            size += len(piece)
            if size > MAX_RECORD_BYTES:
                raise self.error(f"is longer than {MAX_RECORD_BYTES >> 20} MB, and Kafka takes no "
                                 "larger record. Split the line, or remove it")  # fmt: skip
            if piece.endswith(b"\n"):
                yield b"".join(parts).rstrip(b"\r\n")
                parts, size = [], 0
        if parts:
            yield b"".join(parts).rstrip(b"\r\n")

    def error(self, what: str) -> FileError:
        """To be raised: what is wrong with the line in work, and how to go on."""
        return FileError(f"Line {self.line:,} of {self.path} {what}.")

    def _read(self) -> Generator[bytes, None, None]:
        try:
            with ExitStack() as opened:
                stream = self._open(opened)
                piece = stream.readline(PIECE).removeprefix(b"\xef\xbb\xbf")
                while piece:
                    yield piece
                    piece = stream.readline(PIECE)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise FileError(
                f"{self.path} cannot be read: {reason}. Name a complete, readable file."
            ) from error

    def _open(self, opened: ExitStack) -> io.BufferedIOBase:
        file = self.path.open("rb", buffering=0)
        opened.enter_context(file)
        raw: io.RawIOBase = file if self.path.is_file() else _Pipe(file, self._stopped)
        plain = opened.enter_context(io.BufferedReader(raw, PIECE))
        if not plain.peek(2).startswith(b"\x1f\x8b"):
            return plain
        return opened.enter_context(gzip.GzipFile(fileobj=plain))


class _Pipe(io.RawIOBase):
    """Reads what somebody may still be writing; ends once `stopped` says so."""

    def __init__(self, file: io.FileIO, stopped: Callable[[], bool]) -> None:
        self._file, self._stopped = file, stopped

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not select.select([self._file], [], [], _STOP_LOOKED_AT_S)[0]:
            if self._stopped():
                return 0
        return self._file.readinto(buffer) or 0
