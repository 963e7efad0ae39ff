"""The API and the page over HTTP: requests in, answers out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route as Path_
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.serve import answers, prometheus
from apps.serve.asking import JSON, UNCACHED, asking, problem
from apps.serve.entry import Entry
from apps.serve.events import events
from apps.serve.live import Live
from apps.serve.route import Route
from apps.serve.routes import openapi
from stormwatch.people import VIEWER

PAGE = Path(__file__).with_name("page")
WRITES = "X-Stormwatch"
"""The header of every write."""
_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


def application(routes: list[Route], live: Live, hosts: frozenset[str], entry: Entry) -> ASGIApp:
    """The ASGI application. `hosts`: names that a request may call this server by; a page of
    another origin whose name was made to point here calls it by another."""
    found = Starlette(routes=paths(routes, live, entry), exception_handlers={404: _no_path})
    return _Guarded(found, hosts)


def paths(routes: list[Route], live: Live, entry: Entry) -> list[Path_]:
    """All that is answered. What is not behind `entry` tells nothing of what is decided."""
    document = msgspec.json.encode(openapi(routes))
    found = [
        Path_(route.path, entry.behind(route.role, asking(route)), methods=[route.method])
        for route in routes
    ]
    found += [
        Path_("/v1/session", entry.session, methods=["GET", "POST", "DELETE"]),
        Path_("/v1/events", entry.behind(VIEWER, events(live, entry)), methods=["GET"]),
        Path_("/openapi.json", lambda _: Response(document, media_type=JSON), methods=["GET"]),
        Path_("/healthz", lambda _: Response("ok", media_type="text/plain"), methods=["GET"]),
        Path_("/readyz", _ready(live), methods=["GET"]),
        Path_("/metrics", entry.behind(VIEWER, _metrics(live)), methods=["GET"]),
        Path_("/", _file("index.html"), methods=["GET"]),
    ]
    found += [
        Path_(f"/{path.relative_to(PAGE)}", _file(str(path.relative_to(PAGE))), methods=["GET"])
        for path in sorted(PAGE.rglob("*"))
        if path.is_file() and path.name != "index.html"
    ]
    return found


class _Guarded:
    """Refuses requests by other host names, and adds what browsers must be told to each answer."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"], *(h for h in _HEADERS.items() if h[0] not in there)
                ]  # fmt: skip
            await send(message)

        host = next((v for name, v in scope["headers"] if name == b"host"), b"").decode("latin-1")
        if host.rpartition(":")[0] not in self._hosts and host not in self._hosts:
            known = ", ".join(sorted(self._hosts))
            refused = problem(421, f"This server is called {known}, and not {host[:100]!r}.")
            await refused(scope, receive, guarded)
            return
        if forged := _forged(scope):
            await forged(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def _forged(scope: Scope) -> Response | None:
    """What a page of another origin could have a browser send: writes without our header, which
    a browser asks permission for that this server never gives, or with a foreign origin."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return None
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin and origin.partition("://")[2] != headers.get(b"host", b"").decode("latin-1"):
        return problem(403, f"A page of {origin[:100]!r} may not write here.")
    if WRITES.lower().encode() not in headers:
        return problem(403, f"A write needs the header {WRITES}: 1.", WRITES)
    return None


def _ready(live: Live) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        trouble = live.parts["trouble"].told
        assert isinstance(trouble, answers.Trouble)
        if trouble.said:
            return problem(503, trouble.said)
        return Response("ready", media_type="text/plain")

    return answer


def _metrics(live: Live) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        now = live.now
        text = prometheus.text(live.newest, now.ledgers.ledgers, bool(now.trouble.said))
        return Response(text, media_type=prometheus.CONTENT_TYPE, headers=UNCACHED)

    return answer


def _file(name: str) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        kind = _TYPES.get(Path(name).suffix, "application/octet-stream")
        return FileResponse(PAGE / name, media_type=kind, headers={"cache-control": "no-cache"})

    return answer


async def _no_path(request: Request, error: Exception) -> Response:
    return problem(404, "There is nothing here. /openapi.json lists what can be asked.")
