"""A server of the API, asked as a program would ask it; the services behind it are in memory."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from apps.serve import live, newest
from apps.serve.front import HERE
from apps.serve.server import Outside, serving
from stormwatch.adapters import connect
from tests.models.decided_payments import SETTINGS, Decided

ROOT = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Message
    body: bytes


class Api(NamedTuple):
    """A server that answers, and what is behind it."""

    port: int
    world: Decided

    def get(self, path: str, host: str = "", token: str = "", **asked: object) -> Answer:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as link:
            headers = {"Host": host} if host else {}
            headers |= {"Authorization": f"Bearer {token}"} if token else {}
            link.request("GET", path + (f"?{urlencode(asked)}" if asked else ""), headers=headers)
            told = link.getresponse()
            return Answer(told.status, told.headers, told.read())

    def send(
        self, method: str, path: str, body: object, headers: dict[str, str | None] | None = None
    ) -> Answer:
        """A write; a header of None is left out."""
        mine = {"Content-Type": "application/json", "X-Stormwatch": "1"} | (headers or {})
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as link:
            some = {name: value for name, value in mine.items() if value is not None}
            link.request(method, path, json.dumps(body), some)
            told = link.getresponse()
            return Answer(told.status, told.headers, told.read())

    def json(self, path: str, status: int = 200, **asked: object) -> Any:
        answer = self.get(path, **asked)
        told = json.loads(answer.body)
        assert answer.status == status, told
        return told


@contextmanager
def asked(port: int = 0, world: Decided | None = None) -> Iterator[Api]:
    """A server, over payments that were decided."""
    world = world or Decided()
    before = connect.use(world.doubles())
    listening = HERE.listen(port)
    outside = Outside(SETTINGS, world.admin, world.store)
    try:
        with serving(ROOT, outside, listening):
            yield Api(listening.getsockname()[1], world)
    finally:
        connect.use(before)


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers look at what is behind them all the time."""
    monkeypatch.setattr(live, "IDLE_S", 0.05)
    monkeypatch.setattr(live, "EVERY_S", 0.02)
    for name, seconds in {"IDLE_S": 0.05, "EVERY_S": 0.02, "UNRUNG_S": 0.02}.items():
        monkeypatch.setattr(newest, name, seconds)
    monkeypatch.setattr(live, "PATIENCE_S", 0.1)


def wait(is_so: Any) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
