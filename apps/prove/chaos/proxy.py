"""A TCP proxy that can fall silent or refuse, to stand in front of a real service."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class TcpProxy:
    """Forwards 127.0.0.1:`port` to a local port; `cut` ends and refuses all until `mend`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.pause = 0.0
        """Seconds before each piece."""
        self.piece = 1 << 16
        """Bytes of a piece, at most."""
        self.mend()

    def cut(self) -> None:
        """Close every connection and the listening port."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()
        self._flowing.set()

    def mend(self) -> None:
        """Listen again, on the same port; let bytes flow."""
        self._flowing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            self._start(self._accept, self._listener)

    def hang(self) -> None:
        """Keep connections open and pass nothing on until `mend`."""
        self._flowing.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._pairs += [near, far]
                self._start(self._pump, near, far)
                self._start(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(1 << 16):
                self._flowing.wait()
                for begin in range(0, len(data), self.piece):
                    time.sleep(self.pause)
                    sink.sendall(data[begin : begin + self.piece])
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _start(work: Callable[..., None], *args: object) -> None:
        threading.Thread(target=work, args=args, daemon=True).start()
