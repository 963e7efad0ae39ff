"""HTTP push: `POST /v1/streams/<topic>` is answered when Kafka has confirmed the records."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from apps.land import decisions
from apps.land.appender import Appender
from apps.land.figures import Figures
from apps.land.streams import Stream
from apps.land.tokens import Allow
from apps.land.verdicts import Answer, Looked, look, records_of, seconds
from stormwatch.errors import BrokerRefused, BrokerUnavailable
from stormwatch.ports import Store

BODY_BYTES = 8 << 20
"""Of one request."""
RECORDS = 10_000
"""In one request."""
MEMORY_BYTES = 64 << 20
"""Of all requests that are received or wait for Kafka, together."""
BODY_S = 30.0
"""Within which a request's body must have come."""
WAIT_S = 30.0
"""The longest `wait`."""
_JSON = "application/json"


class Lands(NamedTuple):
    """What the application stands on."""

    streams: dict[str, Stream]
    appender: Appender
    allow: Allow
    store: Callable[[], Store]  # asked only where a sender waits for decisions
    stripes: int
    figures: Figures
    now: Callable[[], int]  # ms


class Refusal(Exception):
    """A request is answered with this, and nothing of it was appended, unless it says so."""

    def __init__(self, status: int, error: str, retry: bool = False) -> None:
        super().__init__(error)
        self.status, self.error, self.retry = status, error, retry


def application(lands: Lands, memory_bytes: int = MEMORY_BYTES) -> ASGIApp:
    """The ASGI application."""
    push = _Push(lands, memory_bytes)
    ok = Response("ok", media_type="text/plain")

    async def metrics(request: Request) -> Response:
        return Response(lands.figures.text(), media_type="text/plain; version=0.0.4")

    async def healthy(request: Request) -> Response:
        return ok

    async def nothing(request: Request, error: Exception) -> Response:
        return _problem(404, "There is nothing here: POST records to /v1/streams/<topic>.")

    return Starlette(
        routes=[
            Route("/v1/streams/{topic}", push.answer, methods=["POST"]),
            Route("/metrics", metrics, methods=["GET"]),
            Route("/healthz", healthy, methods=["GET"]),
        ],
        exception_handlers={404: nothing},
    )


class _Push:
    def __init__(self, lands: Lands, memory_bytes: int) -> None:
        self._lands, self._most, self._held = lands, memory_bytes, 0

    async def answer(self, request: Request) -> Response:
        taken = 0
        try:
            stream, wait = self._asked(request)
            body = bytearray()
            try:
                async with asyncio.timeout(BODY_S):
                    async for piece in request.stream():
                        self._hold(len(piece))
                        taken += len(piece)
                        body += piece
                        if len(body) > BODY_BYTES:
                            raise _too_large()
            except TimeoutError as error:
                raise Refusal(408, f"The body did not come within {BODY_S:g} s.") from error
            found = await self._appended(stream, bytes(body), request, wait)
        except Refusal as refusal:
            self._lands.figures.turned_away.labels(str(refusal.status)).inc()
            return _problem(refusal.status, refusal.error, refusal.retry)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            self._hold(-taken)
        answer = Answer(len(found.appends), len(found.verdicts) - len(found.appends),
                        found.verdicts)  # fmt: skip
        status = 200 if found.appends else 422
        return Response(msgspec.json.encode(answer), status, media_type=_JSON)

    def _asked(self, request: Request) -> tuple[Stream, float]:
        """Whether it may be asked, before any of the body is read. Raises Refusal."""
        if not self._lands.allow(request.headers.get("authorization", "")):
            raise Refusal(
                401, "No token, or an unknown one: send the header `Authorization: Bearer TOKEN`."
            )
        topic = request.path_params["topic"]
        stream = self._lands.streams.get(topic)
        if stream is None:
            known = ", ".join(sorted(self._lands.streams))
            raise Refusal(404, f"Nothing is landed to {topic[:100]!r} here. There are: {known}.")
        text = request.query_params.get("wait", "0s")
        wait = seconds(text, WAIT_S)
        if wait is None:
            raise Refusal(422, f"wait={text[:40]!r} is no time: write wait=200ms or wait=1.5s.")
        if wait and stream.kind.split:
            raise Refusal(422, f"{topic} makes several decisions of a record: leave `wait` out.")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > BODY_BYTES:
            raise _too_large()
        return stream, wait

    def _hold(self, size: int) -> None:
        """Count what is in memory. Raises Refusal where it would be too much."""
        if size > 0 and self._held + size > self._most:
            raise Refusal(429, "Too much waits for Kafka: send this again in a moment.", True)
        self._held += size
        self._lands.figures.memory.set(self._held)

    async def _appended(self, stream: Stream, body: bytes, request: Request, wait: float) -> Looked:
        lands, figures, began = self._lands, self._lands.figures, time.monotonic()
        values = records_of(body, request.headers.get("content-type", ""))
        if not values:
            raise Refusal(422, "There is no record in the body: send JSON, one record a line.")
        if len(values) > RECORDS:
            raise Refusal(413, f"More than {RECORDS:,} records at once: send them in pieces.")
        found = await run_in_threadpool(look, stream, values, lands.now())
        for code, count in found.refused.items():
            figures.refused.labels(stream.topic, code).inc(count)
        if not found.appends:
            return found
        try:
            await asyncio.wrap_future(lands.appender.append(found.appends))
        except BrokerRefused as error:
            figures.again.inc()
            raise Refusal(502, str(error)) from error
        except BrokerUnavailable as error:
            figures.again.inc()
            raise Refusal(
                503, f"{error} Some of the records may be in the log: send all of them again, what "
                "is there twice ends as `duplicate`.", True,
            ) from error  # fmt: skip
        figures.landed.labels(stream.topic).inc(len(found.appends))
        figures.seconds.observe(time.monotonic() - began)
        if wait:
            await self._await_decisions(stream, found, wait)
        return found

    async def _await_decisions(self, stream: Stream, found: Looked, wait: float) -> None:
        decided = await run_in_threadpool(
            decisions.wait_for, self._lands.store, stream, found.events, self._lands.stripes, wait
        )
        for verdict in found.verdicts:
            if verdict.time is not None:
                verdict.decision = decided.get((verdict.entity, verdict.id, verdict.time))


def _too_large() -> Refusal:
    return Refusal(413, f"The body has more than {BODY_BYTES >> 20} MB: send it in pieces.")


def _problem(status: int, error: str, retry: bool = False) -> Response:
    headers = {"retry-after": "1"} if retry else {}
    body: dict[str, Any] = {"error": error}
    return Response(msgspec.json.encode(body), status, headers, _JSON)
