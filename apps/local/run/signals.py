"""Ctrl-C (and SIGTERM, SIGHUP) during a run: asks while it can wait, interrupts while it cannot."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal came while nobody was waiting for one."""


class Signals:
    """Handles the signals while entered; used on the main thread only."""

    def __init__(self) -> None:
        self.number = 0  # of the first signal; 0: none yet
        self.again = False  # a second one came: hurry
        self._asked = threading.Event()
        self._patient = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def asked(self) -> bool:
        """Whether the run is to end."""
        return self._asked.is_set()

    @property
    def code(self) -> int:
        """The exit code that tells the signal: 130 after Ctrl-C."""
        return 128 + self.number

    def pause(self, seconds: float) -> bool:
        """Sleep, cut short by the first signal; True if the run is to end."""
        return self._asked.wait(seconds)

    def only_ask(self) -> None:
        """From now on a signal only sets `asked`: somebody looks at it often enough."""
        self._patient = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first = not self.number
        self.number = self.number or number
        self.again = not first
        self._asked.set()
        if first and not self._patient:
            raise Interrupted
