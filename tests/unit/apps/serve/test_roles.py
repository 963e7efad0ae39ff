"""Who may ask what: each operation of the OpenAPI document by each role, with tokens."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import NamedTuple
from unittest.mock import MagicMock

import pytest

from apps.operate import tokens
from apps.serve import events, web
from apps.serve.entry import Entry
from apps.serve.routes import routes
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.people import ROLES, Token
from stormwatch.records import day_of
from tests.models.asked import Answer, Api, asked, wait

PUBLIC = {"/healthz", "/readyz", "/openapi.json", "/v1/session", "/"}
OTHERS = {"/metrics", "/v1/events"}


class Guarded(NamedTuple):
    api: Api
    tokens: dict[str, str]  # by role

    def ask(self, method: str, path: str, token: str = "", body: object = None) -> Answer:
        headers: dict[str, str | None] = {"Authorization": f"Bearer {token}"} if token else {}
        return self.api.send(method, path, {} if body is None else body, headers)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with asked() as api:
        store = api.world.store
        made = {role: tokens.add(store, f"a-{role}", role, 1, now_ms()) for role in ROLES}
        wait(lambda: api.get("/v1/now").status == 401)
        yield Guarded(api, made)


def operations(api: Api) -> list[tuple[str, str, str]]:
    document = json.loads(api.get("/openapi.json").body)
    return [
        (method.upper(), path, operation["x-role"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_each_operation_is_for_its_role_and_those_above(guarded: Guarded) -> None:
    some = operations(guarded.api)
    assert len(some) > 12 and {role for _, _, role in some} <= set(ROLES)
    for method, path, least in some:
        where = path.replace("{key}", "k")
        assert guarded.ask(method, where).status == 401, path
        for role in ROLES:
            status = guarded.ask(method, where, guarded.tokens[role]).status
            assert (status == 403) == (ROLES.index(role) < ROLES.index(least)), (method, path, role)
            assert status != 401


def test_a_write_without_the_right_stands_in_the_audit_log(guarded: Guarded) -> None:
    day = day_of(now_ms())
    known = len(guarded.api.world.store.audit(day, 1_000))
    refused = [
        (method, path)
        for method, path, least in operations(guarded.api)
        if method != "GET" and least != "viewer"
    ]
    assert len(refused) > 8
    for method, path in refused:
        where = path.replace("{key}", "k")
        assert guarded.ask(method, where, guarded.tokens["viewer"]).status == 403
    rows = guarded.api.world.store.audit(day, 1_000)
    rows = sorted(rows, key=lambda row: row.at)[known:]
    assert sorted(row.act for row in rows) == sorted(
        f"{method} {path.replace('{key}', 'k')}" for method, path in refused
    )
    assert {(row.who, row.role, row.outcome[:8]) for row in rows} == {
        ("a-viewer", "viewer", "refused:")
    }


def test_what_is_open_to_all_holds_no_data_and_all_else_is_not(guarded: Guarded) -> None:
    listed = {path for _, path, _ in operations(guarded.api)}
    files = {f"/{path.relative_to(web.PAGE)}" for path in web.PAGE.rglob("*") if path.is_file()}
    for path in PUBLIC | OTHERS:
        expected = (200, 503) if path in PUBLIC else (401,)
        assert guarded.api.get(path).status in expected, path
    assert not listed & (PUBLIC | OTHERS)
    nobody = MagicMock()
    there = web.paths(routes(nobody, nobody, [], nobody, nobody), nobody, Entry(nobody))
    assert {path.path for path in there} | files == listed | files | PUBLIC | OTHERS
    assert json.loads(guarded.api.get("/v1/session").body) == {
        "name": "", "role": "", "needed": True, "expires": 0,
    }  # fmt: skip


def test_a_browser_signs_in_by_a_cookie_that_scripts_cannot_read(guarded: Guarded) -> None:
    told = guarded.ask("POST", "/v1/session", body={"token": guarded.tokens["analyst"]})
    assert told.status == 200 and json.loads(told.body)["role"] == "analyst"
    cookie = told.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    with closing(HTTPConnection("127.0.0.1", guarded.api.port, timeout=10)) as link:
        link.request("GET", "/v1/now", headers={"Cookie": cookie.partition(";")[0]})
        assert link.getresponse().status == 200
    out = guarded.api.send("DELETE", "/v1/session", {})
    assert 'stormwatch=""' in out.headers["set-cookie"]
    assert guarded.ask("POST", "/v1/session", body={"token": "sw_no"}).status == 401


@pytest.mark.parametrize("why", ["revoked", "expired"])
def test_a_stream_ends_when_its_token_holds_no_more(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """And who comes again with it is told why: 401."""
    monkeypatch.setattr(tokens, "KNOWN_MS", 20)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    store = guarded.api.world.store
    text = tokens.add(store, f"short-{why}", "viewer", 1, now_ms())
    wait(lambda: guarded.api.get("/v1/now", token=text).status == 200)
    with closing(HTTPConnection("127.0.0.1", guarded.api.port, timeout=10)) as link:
        link.request("GET", "/v1/events", headers={"Authorization": f"Bearer {text}"})
        answer = link.getresponse()
        assert answer.readline().startswith(b"event: ")
        if why == "revoked":
            store.revoke_token("short-revoked", now_ms())
        else:
            monkeypatch.setattr(Token, "holds", lambda token, now: token.name != "short-expired")
        assert answer.read().endswith(b"event: signed-out\ndata: {}\n\n")
    again = guarded.ask("GET", "/v1/events", text)
    assert again.status == 401 and why in json.loads(again.body)["error"]
