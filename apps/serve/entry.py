"""Who a request is from, and whether that role may ask it."""

import getpass
import socket
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from apps.operate.casework import Who
from apps.operate.tokens import Gate, NoEntry, bearer
from apps.serve import answers
from apps.serve.asking import JSON, UNCACHED, WHO, Refused, body_of, problem
from stormwatch.errors import StoreUnavailable
from stormwatch.people import ROLES

COOKIE = "stormwatch"
"""Holds the token of a browser, where scripts cannot read it."""
_ACT = 300
Handler = Callable[[Request], Awaitable[Response]]


class Session(msgspec.Struct, forbid_unknown_fields=True):
    """What a browser signs in with."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]


def local_name() -> str:
    """Who asks from this machine without a token."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


class Entry:
    """Lets requests in. `proxied`: what asks is a proxy, which says whom it asks for."""

    def __init__(self, gate: Gate, *, proxied: bool = False, secure: bool = False) -> None:
        """`secure`: browsers reach it by TLS alone."""
        self._gate, self._proxied, self._secure = gate, proxied, secure

    def behind(self, role: str, handler: Handler) -> Handler:
        """`handler`, for this role and those above it."""
        least = ROLES.index(role)

        async def answer(request: Request) -> Response:
            try:
                who = await self.who(request)
                self._gate.take(who)
                if ROLES.index(who.role) < least:
                    why = f"{who.name!r} is a {who.role}; this is for the role {role!r}."
                    if request.method != "GET":
                        act = f"{request.method} {request.url.path[:_ACT]}"
                        await run_in_threadpool(self._gate.turned_away, who, act, why)
                    raise NoEntry(403, why)
            except NoEntry as refused:
                return _refusal(refused)
            except StoreUnavailable as error:
                return problem(503, str(error))
            request.scope[WHO] = who
            return await handler(request)

        return answer

    async def who(self, request: Request) -> Who:
        """Raises NoEntry, StoreUnavailable."""
        text = bearer(request.headers.get("authorization"))
        if text is None:
            text = request.cookies.get(COOKIE)
        return await self._entered(request, text)

    def still(self, request: Request) -> bool:
        """Whether a stream that was let in may go on."""
        text = bearer(request.headers.get("authorization")) or request.cookies.get(COOKIE)
        try:
            self._gate.enter("", text)
        except NoEntry:
            return False
        return True

    async def refresh(self) -> None:
        """Notice tokens that were revoked. Raises StoreUnavailable."""
        if self._gate.stale:
            await run_in_threadpool(self._gate.refresh)

    async def session(self, request: Request) -> Response:
        """Who is signed in; a POST signs in, a DELETE out."""
        try:
            await self.refresh()
            match request.method:
                case "DELETE":
                    told = answers.Session("", "", True, 0)
                    return self._cookie(told, "", 0)
                case "POST":
                    token = (await body_of(request, Session)).token
                    who = await self._entered(request, token)
                    seconds = self._gate.expires(who.name) // 1000
                    return self._cookie(self._told(who), token, seconds)
            try:
                told = self._told(await self.who(request))
            except NoEntry as refused:
                if refused.status != 401:
                    raise
                told = answers.Session("", "", True, 0)
        except NoEntry as refused:
            return _refusal(refused)
        except Refused as refused:
            return refused.response
        except StoreUnavailable as error:
            return problem(503, str(error))
        return Response(msgspec.json.encode(told), media_type=JSON, headers=UNCACHED)

    async def _entered(self, request: Request, text: str | None) -> Who:
        await self.refresh()
        return self._gate.enter(self._origin(request), text)

    def _origin(self, request: Request) -> str:
        if self._proxied:  # the last word is that of the proxy itself, what is before it of anybody
            return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:64]
        return request.client.host if request.client else ""

    def _told(self, who: Who) -> answers.Session:
        return answers.Session(who.name, who.role, self._gate.needed, self._gate.expires(who.name))

    def _cookie(self, told: answers.Session, token: str, until_s: int) -> Response:
        made = Response(msgspec.json.encode(told), media_type=JSON, headers=UNCACHED)
        if token:
            made.set_cookie(
                COOKIE, token, httponly=True, samesite="strict", secure=self._secure,
                expires=_date(until_s),
            )  # fmt: skip
        else:
            made.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self._secure)
        return made


def _date(seconds: int) -> str:
    from email.utils import formatdate

    return formatdate(seconds, usegmt=True)


def _refusal(refused: NoEntry) -> Response:
    answer = problem(refused.status, str(refused))
    if refused.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    if refused.wait_s:
        answer.headers["retry-after"] = str(refused.wait_s)
    return answer
