"""One component on a thread of its own that runs only while it is told to, until it wants to read.

Control is handed over and back, so that one thing happens at a time and in a known order: a
component runs unmodified, blocking reads and all, and a seeded run is the same every time.
"""

import io
import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STOPPED = 2
"""Exit code of a component whose input ended."""


@dataclass(frozen=True)
class Ended:
    """A component's end. `why` is a traceback, or empty after a stop."""

    code: int
    why: str = ""


class Strand:
    """A component class, constructed and run on a thread. `inbox` is set by `give`."""

    def __init__(self, name: str, component: type) -> None:
        self._component = component
        self._lines: deque[bytes] = deque()
        self._closed = self._abandoned = False
        # Plain locks, each held from the start: the fastest way to hand over.
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._handlers: list[logging.Handler] = []
        self.out: list[bytes] = []
        self.ended: Ended | None = None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.strand = self  # type: ignore[attr-defined]  # tells the runner's threads
        self._thread.start()

    @property
    def runnable(self) -> bool:
        """Whether it would get anywhere."""
        return self.ended is None and (bool(self._lines) or self._closed)

    def give(self, data: bytes) -> None:
        """More to read: whole messages."""
        self._lines.extend(data.splitlines(keepends=True))

    def close(self) -> None:
        """End of input."""
        self._closed = True

    def resume(self, limit_s: float) -> bool:
        """Let it run until it wants to read more or has ended. False: not within `limit_s`."""
        self._go.release()
        return self._back.acquire(timeout=limit_s)

    def abandon(self, wait_s: float = 0.0) -> None:
        """Nothing it says is heard any more; its thread ends when it next reads."""
        self._abandoned = self._closed = True
        self._lines.clear()
        self._go.release()
        self._thread.join(wait_s)

    def take(self) -> bytes:
        """What it wrote since the last time."""
        out, self.out = self.out, []
        return b"".join(out)

    def waiting(self) -> bool:
        """Whether a whole message is there."""
        return b"end\n" in self._lines

    def _line(self) -> bytes:
        while not self._lines:
            if self._closed:
                return b""
            self._back.release()
            self._go.acquire()
        return self._lines.popleft()

    def _main(self) -> None:
        self._go.acquire()
        try:
            _embedded(self._component, self._handlers)(
                _Inlet(self), _Outlet(self._hear), rdb_signal=None
            ).run()
            self.ended = Ended(0)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
            self.ended = Ended(code, "" if code == STOPPED else traceback.format_exc())
        except BaseException:  # the edge of the component: told, and it ends
            self.ended = Ended(1, traceback.format_exc())
        finally:
            for handler in self._handlers:
                logging.getLogger().removeHandler(handler)
            self._back.release()

    def _hear(self, data: bytes) -> None:
        if not self._abandoned:
            self.out.append(data)


class _Inlet(io.BufferedIOBase):
    """What a component reads; made for `readline`, and for a TextIOWrapper around it."""

    def __init__(self, strand: Strand) -> None:
        self._strand = strand

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1) -> bytes:
        return self._strand._line()

    def read1(self, size: int = -1) -> bytes:
        return self._strand._line()

    def waiting(self) -> bool:
        return self._strand.waiting()


class _Outlet(io.BufferedIOBase):
    """What a component writes."""

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hear(bytes(data))
        return len(data)


def _embedded(component: type, handlers: list[logging.Handler]) -> type:
    """The class, made fit to be one of several in a process: it ends alone, and logs alone."""

    def leave(self: Any, code: int) -> None:
        raise SystemExit(code)

    def set_up(self: Any, conf: dict[str, Any], context: dict[str, Any]) -> None:
        own, before = threading.get_ident(), list(logging.getLogger().handlers)
        component._setup_component(self, conf, context)  # type: ignore[attr-defined]
        for handler in logging.getLogger().handlers:
            if handler not in before:
                handler.addFilter(lambda record: record.thread == own)
                handlers.append(handler)

    return type(component.__name__, (component,), {"_exit": leave, "_setup_component": set_up})
