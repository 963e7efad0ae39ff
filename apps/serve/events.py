"""The newest state as server-sent events, for however many readers.

A reader has a queue of one state: what it does not take is replaced by what is newer. A reader that
never reads costs one slot. The operating system drops it once what it holds for it is full
(`front.UNREAD_MS`); of a stream with little news that may never be, so a stream ends after STREAM_S
whether it is read or not, and who reads asks for the next at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from apps.serve.asking import UNCACHED, problem
from apps.serve.entry import Entry
from apps.serve.live import Live
from stormwatch.errors import StoreUnavailable

HEARTBEAT_S = 15.0
"""A stream without news sends a comment so often, so that a dead reader is noticed."""
STREAMS = 1_000
"""Readers at once."""
STREAM_S = 900.0
"""A stream lasts so long, then its reader is told to ask again: `event: again`."""
GRACE_S = 60.0
"""One that takes not even that is cut after so many more."""


def events(live: Live, entry: Entry) -> Callable[[Request], Awaitable[Response]]:
    """The handler."""

    async def answer(request: Request) -> Response:
        if live.watching >= STREAMS:
            return problem(503, f"{STREAMS:,} readers watch already. Close one, then try again.")
        return _Stream(live, _frames(live, entry, request))

    return answer


class _Stream(StreamingResponse):
    """Has a slot from its first byte until its reader is gone, whether it reads or not."""

    def __init__(self, live: Live, frames: AsyncIterator[bytes]) -> None:
        headers = UNCACHED | {"x-accel-buffering": "no"}
        super().__init__(frames, media_type="text/event-stream", headers=headers)
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._live.arrived()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(STREAM_S + GRACE_S):
                    await super().__call__(scope, receive, send)
        finally:
            self._live.left()


async def _frames(live: Live, entry: Entry, request: Request) -> AsyncIterator[bytes]:
    """Each part when it is new. A slow reader misses what came between, never the newest."""
    known: dict[str, int] = {}
    until = time.monotonic() + STREAM_S
    while (left := until - time.monotonic()) > 0:
        new = await live.newer(known, min(HEARTBEAT_S, left))
        with suppress(StoreUnavailable):
            await entry.refresh()
        if not entry.still(request):
            yield b"event: signed-out\ndata: {}\n\n"
            return
        if not new:
            yield b": still here\n\n"
        for name, part in new.items():
            known[name] = part.version
            yield part.frame
    yield b"event: again\ndata: {}\n\n"
