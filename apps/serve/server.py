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
from apps.operate.tokens import Gate
from apps.serve.entry import Entry, local_name
from apps.serve.front import HERE, PORT, Front
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

_GRACE_S = 2


class Outside(NamedTuple):
    """The services as the server needs them; see `apps.operate.looks.Connected`."""

    settings: Settings
    admin: Admin
    store: Archive


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
        listening = HERE.listen(PORT)
    except SettingsError:
        listening = HERE.listen(0)
    with serving(root, outside, listening, reconciled):
        say(f"See it live at {HERE.address(listening)}")
        yield


@contextmanager
def serving(
    root: Path,
    outside: Outside,
    listening: socket.socket,
    reconciled: Callable[[], Mapping[str, TopicLedger]] = dict,
    front: Front = HERE,
) -> Iterator[None]:
    """A server that answers on `listening` until the end of the block, from a thread of its own.

    Raises StormwatchError where a topology file cannot be loaded, or the store does not answer.
    """
    streams = every(outside.settings)
    sources: dict[str, Source] = {}

    def opened(topic: str) -> Source:
        if topic not in sources:
            sources[topic] = connect.source(outside.settings, topic)
        return sources[topic]

    reader = Reader(outside.store, outside.settings, opened, Lock())
    desk = Desk(outside.store, outside.settings, now_ms)
    gate = Gate(outside.store, now_ms, local_name(), open_=front.is_local)
    gate.refresh()
    entry = Entry(gate, proxied=front.proxied, secure=front.secure)
    live = Live(streams, outside, reconciled)
    drawn = [wiring(root, stream.topology) for stream in streams]
    asked = routes(reader, live, drawn, desk, root)
    app = application(asked, live, front.hosts, entry)
    server = uvicorn.Server(uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False,
        ssl_certfile=front.certificate or None, ssl_keyfile=front.key or None, proxy_headers=False,
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
