"""The server as a process has it: connections, the thread that looks, and uvicorn."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

import uvicorn

from apps.data.streams import every
from apps.operate.casework import Desk
from apps.serve.live import Live
from apps.serve.reader import Reader
from apps.serve.routes import routes
from apps.serve.web import application
from apps.serve.wiring import wiring
from stormwatch.adapters import connect
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.archive import Archive
from stormwatch.errors import SettingsError
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Admin, Source
from stormwatch.settings import Settings

PORT = 8_765
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BACKLOG = 2_048
_GRACE_S = 2


class Outside(NamedTuple):
    """The services as the server needs them; see `apps.operate.looks.Connected`."""

    settings: Settings
    admin: Admin
    store: Archive


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises SettingsError with what to do."""
    if host not in LOOPBACK:
        raise SettingsError(
            f"--host {host}: the API has no sign-in yet, so it is served to this machine alone "
            f"({', '.join(LOOPBACK)}). Reach it from elsewhere through `ssh -L`."
        )
    return bound(host, port)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket on any address; port 0 takes a free one. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Port {port} of {host} cannot be had: {error.strerror}. Another program may be on "
            "it; choose another with --port, or 0 for a free one."
        ) from error
    listening.listen(_BACKLOG)
    return listening


def address(listening: socket.socket) -> str:
    """Where the page is."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def served(
    root: Path,
    outside: Outside,
    say: Callable[[str], None],
    reconciled: Callable[[], Mapping[str, TopicLedger]] = dict,
) -> Iterator[None]:
    """The page beside something that runs: on PORT or, where that is taken, on a free one; `say`
    is told where. `reconciled`: as `Live` takes it."""
    try:
        listening = listen(LOOPBACK[0], PORT)
    except SettingsError:
        listening = listen(LOOPBACK[0], 0)
    with serving(root, outside, listening, reconciled):
        say(f"See it live at {address(listening)}")
        yield


@contextmanager
def serving(
    root: Path,
    outside: Outside,
    listening: socket.socket,
    reconciled: Callable[[], Mapping[str, TopicLedger]] = dict,
) -> Iterator[None]:
    """A server that answers on `listening` until the end of the block, from a thread of its own.

    Raises StormwatchError where a topology file cannot be loaded.
    """
    streams = every(outside.settings)
    sources: dict[str, Source] = {}

    def opened(topic: str) -> Source:
        if topic not in sources:
            sources[topic] = connect.source(outside.settings, topic)
        return sources[topic]

    reader = Reader(outside.store, outside.settings, opened, Lock())
    desk = Desk(outside.store, outside.settings, now_ms)
    live = Live(streams, outside, reconciled)
    drawn = [wiring(root, stream.topology) for stream in streams]
    app = application(routes(reader, live, drawn, desk), live, frozenset({*LOOPBACK, "[::1]"}))
    server = uvicorn.Server(uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=_GRACE_S, http="h11", ws="none", loop="asyncio",
    ))  # fmt: skip
    answering = Thread(target=server.run, args=([listening],), name="serve", daemon=True)
    live.start()
    answering.start()
    try:
        yield
    finally:
        server.should_exit = True
        answering.join(timeout=_GRACE_S + 3)
        live.stop()
        for each in sources.values():
            each.close()
