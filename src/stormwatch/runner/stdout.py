"""Descriptor 1 in one process, as it is under Storm: what a component writes to it, Storm reads."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FREE = "stdout_is_free"
"""Attribute of a component's class that takes Storm's pipe off descriptor 1: it may print."""


class Stdout:
    """Catches what is written to standard output: by Python, by C code and by child processes."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this

    @contextmanager
    def caught(self, into: list[bytes]) -> Iterator[None]:
        """While this lasts; then it is put `into` the list, if there is any."""
        before, own = sys.stdout, os.dup(1)
        with suppress(OSError, ValueError):
            before.flush()
        os.dup2(self._file.fileno(), 1)
        try:
            with open(1, "w", encoding="utf-8", closefd=False) as sys.stdout:
                yield
        finally:
            sys.stdout = before
            os.dup2(own, 1)
            os.close(own)
            if self._file.seek(0, os.SEEK_CUR):  # children write where it stands
                self._file.seek(0)
                into.append(self._file.read())
                self._file.seek(0)
                self._file.truncate()

    def close(self) -> None:
        """Not to be used any more."""
        self._file.close()
