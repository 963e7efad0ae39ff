"""Something that takes long to make or may not be there yet, made off the heartbeat path.

`initialize` and `process` answer Storm's heartbeats with their own thread: a component that waited
in them for Cassandra or a model would be killed.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from stormwatch.errors import InfrastructureError

T = TypeVar("T")

PAUSE_S, PAUSE_MAX_S = 0.2, 5.0


class Lazy(Generic[T]):
    """Makes one thing in a background thread, started at once, and tries again until it succeeds.

    A factory that raises InfrastructureError is called again after a pause that doubles up to
    PAUSE_MAX_S; whatever else it raises is final. `name` begins a sentence: "Cassandra". `lacking`
    is what `get` raises while the first attempt is under way.
    """

    def __init__(
        self,
        factory: Callable[[], T],
        name: str,
        lacking: type[InfrastructureError] = InfrastructureError,
    ) -> None:
        self._factory = factory
        self._name = name
        self._lacking = lacking
        self._made: list[T] = []
        self._final: BaseException | None = None
        self._cause: InfrastructureError | None = None
        self._settled = threading.Event()
        self._tried = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._make, name=f"make {name}", daemon=True)
        self._thread.start()

    def get(self, timeout: float) -> T:
        """The thing, waiting for it at most `timeout` s.

        Raises an InfrastructureError of the last cause's type while it is not there, and again
        and again what the factory raised if that was final.
        """
        if not self._settled.wait(timeout):
            kind = self._lacking if self._cause is None else type(self._cause)
            why = self._cause or "the first attempt is still under way"
            raise kind(f"{self._name} is not ready yet: {why}") from self._cause
        if self._final is not None:
            raise self._final
        return self._made[0]

    def get_soon(self, timeout: float) -> T:
        """As `get`, but waiting for the first attempt alone: where that failed, the last cause is
        raised at once, until an attempt succeeds."""
        self._tried.wait(timeout)
        return self.get(0)

    def close(self) -> None:
        """Stop trying, and close what was made if it can be closed. Idempotent, and waits for
        nothing: what is being made now is closed by its own thread."""
        self._final = InfrastructureError(f"{self._name} was closed")
        self._closed.set()
        self._settled.set()
        self._tried.set()
        self._close_made()

    def _make(self) -> None:
        pause = PAUSE_S
        while not self._closed.is_set():
            try:
                self._made.append(self._factory())
            except InfrastructureError as error:
                self._cause = error
                self._tried.set()
                self._closed.wait(pause)
                pause = min(2 * pause, PAUSE_MAX_S)
                continue
            except BaseException as error:  # raised again by `get`, where it can be seen
                self._final = self._final or error
            self._settled.set()
            self._tried.set()
            break
        if self._closed.is_set():
            self._close_made()

    def _close_made(self) -> None:
        try:
            made = self._made.pop()
        except IndexError:  # nothing, or the other thread was first
            return
        close: Callable[[], None] | None = getattr(made, "close", None)
        if close is not None:
            close()
