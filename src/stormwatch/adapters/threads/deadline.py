"""A call with a time limit, made by a thread beside the one that has to go on."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

SLICES = 20
"""The limit is waited for in so many pieces: a process or machine that stood still for a while, and
the model with it, loses one of them."""


class Late(Exception):
    """The call is not back within its limit."""


class Helper:
    """One thread that makes one call at a time. It ends with the process, whatever it does."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[object], Callable[[], object]]] = SimpleQueue()
        self._last: Future[object] | None = None

    @property
    def busy(self) -> bool:
        """Whether a call that came too late is still under way."""
        return self._last is not None and not self._last.done()

    def call(self, function: Callable[[], T], limit_s: float) -> T:
        """What the function gives, or raises. Raises Late; not to be called while `busy`."""
        if self._last is None:
            threading.Thread(target=self._work, name="model", daemon=True).start()
        future: Future[T] = Future()
        self._last = future  # type: ignore[assignment]
        self._calls.put((future, function))  # type: ignore[arg-type]
        for _ in range(SLICES):
            try:
                return future.result(limit_s / SLICES)
            except TimeoutError:
                if future.done():  # the function's own
                    return future.result()
        raise Late

    def _work(self) -> None:
        while True:
            future, function = self._calls.get()
            try:
                future.set_result(function())
            except BaseException as error:  # raised again by `call`, where it can be seen
                future.set_exception(error)
