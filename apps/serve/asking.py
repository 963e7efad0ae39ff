"""A route as a handler of HTTP: parameters in, checked; the answer or the problem out."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from apps.operate.casework import Overtaken
from apps.operate.missing import NotFound
from apps.operate.rollout.changing import Conflict
from apps.serve import answers
from apps.serve.reader import BadCursor
from apps.serve.route import Asker, Download, Raw, Route
from stormwatch.errors import InfrastructureError, SettingsError, StormwatchError
from stormwatch.people import Work

BODY = 256 << 10
"""Bytes of a request at most."""
JSON = "application/json"
WHO = "stormwatch.who"
"""In the scope of a request that was let in: who asks."""
UNCACHED = {"cache-control": "no-store"}


class Refused(Exception):
    """A request that is answered with a problem, before anything is done."""

    def __init__(self, status: int, error: str, field: str = "") -> None:
        super().__init__(error)
        self.response = problem(status, error, field)


def asking(route: Route) -> Callable[[Request], Awaitable[Response]]:
    """What answers a route."""
    names = set(route.asked.__struct_fields__)

    async def answer(request: Request) -> Response:
        try:
            asked = _parameters(request, route, names)
            given: tuple[Any, ...] = (asked,)
            if route.body is not None:
                body = await body_of(request, route.body)
                given = (asked, body, Asker(request.scope[WHO], _seen(request, route)))
            told = route.of(*given) if route.quick else await run_in_threadpool(route.of, *given)
        except Refused as refused:
            return refused.response
        except StormwatchError as error:
            return _answered(error)
        if isinstance(told, Download):
            said = {"content-disposition": f'attachment; filename="{told.name}"'}
            return StreamingResponse(
                told.chunks, media_type=told.media_type, headers=UNCACHED | said
            )
        tag = {"etag": f'"{told.version}"'} if route.versioned else {}
        return Response(msgspec.json.encode(told), media_type=JSON, headers=UNCACHED | tag)

    return answer


def problem(status: int, error: str, field: str = "", work: Work | None = None) -> Response:
    """Why there is no answer."""
    body = msgspec.json.encode(answers.Problem(error, field, work))
    tag = {} if work is None else {"etag": f'"{work.version}"'}
    return Response(body, status, UNCACHED | tag, JSON)


def _parameters(request: Request, route: Route, names: set[str]) -> Any:
    given = dict(request.query_params) | request.path_params
    if unknown := sorted(set(given) - names):
        has = f"there are: {', '.join(sorted(names))}" if names else "there are none"
        raise Refused(422, f"There is no parameter {unknown[0]!r}; {has}.", unknown[0])
    return _converted(lambda: msgspec.convert(given, route.asked, strict=False), "The question")


async def body_of(request: Request, kind: type[Any]) -> Any:
    """The JSON that was sent, as `kind`. Raises Refused."""
    if (
        kind is not Raw
        and request.headers.get("content-type", "").partition(";")[0].strip() != JSON
    ):
        raise Refused(415, f"Send the body as {JSON}, with that content-type.")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY:
            raise Refused(413, f"A request has at most {BODY:,} bytes.")
    if kind is Raw:
        return bytes(raw)
    return _converted(lambda: msgspec.json.decode(bytes(raw), type=kind), "The body")


def _converted(convert: Callable[[], Any], what: str) -> Any:
    try:
        return convert()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        raise Refused(422, f"{name or what}: {message}.", name) from error


def _seen(request: Request, route: Route) -> int | None:
    """The version in If-Match; None for `*`."""
    if not route.versioned:
        return None
    tag = request.headers.get("if-match", "").strip()
    if not tag:
        raise Refused(
            428, "Send If-Match with the ETag of what you saw, so that nobody's act is lost; `*` "
            "takes whatever stands.", "If-Match",
        )  # fmt: skip
    if tag == "*":
        return None
    bare = tag.removeprefix("W/").strip('"')
    if not bare.isdecimal() or len(bare) > 9:
        raise Refused(422, f"If-Match: {tag[:40]!r} is not an ETag of this server.", "If-Match")
    return int(bare)


def _answered(error: StormwatchError) -> Response:
    match error:
        case Overtaken() | Conflict():
            return problem(412, str(error), work=getattr(error, "work", None))
        case BadCursor():
            return problem(422, f"after: {error}.", "after")
        case NotFound():
            return problem(404, str(error))
        case InfrastructureError():
            return problem(503, str(error))
        case SettingsError():
            name, colon, _ = str(error).partition(": ")
            return problem(422, str(error), name if colon and name.isidentifier() else "")
    return problem(500, str(error))
