"""Storm's pipe to a component: lines, and whether a whole message is there already."""

import os
import select

MESSAGE_END = b"\nend\n"
_CHUNK = 1 << 16


class Pipe:
    """Reads a file descriptor. Unlike io.BufferedReader it can tell what it holds."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()
        self._ended = False

    def readline(self) -> bytes:
        """The next line with its end; what is left, or nothing, at the end of the pipe."""
        looked = 0
        while (end := self._held.find(b"\n", looked) + 1) == 0 and not self._ended:
            looked = len(self._held)
            self._read()
        line = bytes(self._held[: end or len(self._held)])
        del self._held[: len(line)]
        return line

    def waiting(self) -> bool:
        """Whether the next message can be read without waiting for Storm."""
        while not (here := MESSAGE_END in self._held) and not self._ended:
            if not select.select([self._descriptor], [], [], 0)[0]:
                return False
            self._read()
        return here

    def _read(self) -> None:
        more = os.read(self._descriptor, _CHUNK)
        self._held += more
        self._ended = not more
