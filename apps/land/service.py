"""The HTTP lander as a process has it: listening, Kafka, the store where it is asked for."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from socket import socket
from threading import Event, Lock, Thread

import uvicorn
from prometheus_client import start_http_server

from apps.land import push
from apps.land.appender import Appender
from apps.land.figures import Figures
from apps.land.intake import Intake, carry
from apps.land.streams import Stream
from apps.land.tokens import Allow
from stormwatch.adapters import connect
from stormwatch.ports import Store
from stormwatch.settings import Settings

_GRACE_S = 15
CONNECTIONS = 1_000


class OnceAsked:
    """The store, connected when somebody asks for a decision for the first time."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, Lock()
        self._store: Store | None = None

    def __call__(self) -> Store:
        """Raises StoreUnavailable."""
        with self._lock:
            if self._store is None:
                self._store = connect.store(self._settings)
            return self._store

    def close(self) -> None:
        """Leave, where it was asked for."""
        if self._store is not None:
            self._store.close()


@contextmanager
def landing(
    settings: Settings, streams: dict[str, Stream], sockets: list[socket], allow: Allow
) -> Iterator[Callable[[], bool]]:
    """Answers on the sockets until the end of the block; then what was received is appended first.

    Gives a function that says whether it still answers.
    """
    figures, store = Figures(), OnceAsked(settings)
    appender = Appender(partial(connect.sink, settings), settings.kafka_request_timeout_s)
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000  # noqa: E731
    app = push.application(
        push.Lands(streams, appender, allow, store, settings.layout_stripes, figures, now)
    )
    server = uvicorn.Server(uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=_GRACE_S, http="h11", ws="none", loop="asyncio",
        limit_concurrency=CONNECTIONS,
    ))  # fmt: skip
    answering = Thread(target=server.run, args=(sockets,), name="land", daemon=True)
    answering.start()
    try:
        yield answering.is_alive
    finally:
        server.should_exit = True
        answering.join(timeout=_GRACE_S + 3)
        appender.close()
        store.close()


def carrying(
    settings: Settings, stream: Stream, intake: Intake, metrics_port: int
) -> AbstractContextManager[Callable[[], bool]]:
    """Carries messages into the stream's topic until the end of the block; see `working`."""
    return working(
        settings, metrics_port, intake.close,
        lambda appender, figures, stop: carry(intake, stream, appender, figures, stop),
    )  # fmt: skip


@contextmanager
def working(
    settings: Settings, metrics_port: int, close: Callable[[], None],
    work: Callable[[Appender, Figures, Event], None],
) -> Iterator[Callable[[], bool]]:  # fmt: skip
    """Does `work` in a thread until the end of the block, which sets its event; then closes.

    Gives a function that says whether it has ended by itself; the end of the block raises why.
    """
    figures, stop, failed = Figures(), Event(), list[BaseException]()
    appender = Appender(partial(connect.sink, settings), settings.kafka_request_timeout_s)

    def run() -> None:
        try:
            work(appender, figures, stop)
        except Exception as error:  # raised again below
            failed.append(error)

    carrier = Thread(target=run, name="carry", daemon=True)
    with ExitStack() as stack:
        if metrics_port:
            server, _ = start_http_server(metrics_port, "127.0.0.1", figures.registry)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        stack.callback(appender.close)
        stack.callback(close)
        carrier.start()
        try:
            yield lambda: not carrier.is_alive()
        finally:
            stop.set()
            carrier.join(timeout=settings.kafka_request_timeout_s + 5)
    if failed:
        raise failed[0]
