"""Alerts to a webhook: what the other side sees, and what it is spared."""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest

from apps.operate import notify
from apps.operate.notify import Notifier, Target
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.errors import SettingsError
from stormwatch.records import Decision, Reason
from stormwatch.settings import Settings
from tests.models.serving import serving

SECRET = "canary-5f1c"
NOW = 1_700_000_000_000


class Hook:
    """The other side: answers with `statuses` in turn, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.port = 0


@contextmanager
def hooked() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.got.append((dict(self.headers), body))
            self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
            self.send_header("Location", f"http://127.0.0.1:{hook.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        hook.port = server.server_port
        yield hook


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hooked() as made:
        yield made


def settings(port: int) -> Settings:
    return replace(
        Settings(), notify_url=f"http://127.0.0.1:{port}/hook?x=1", notify_hosts="127.0.0.1",
        notify_secret=SECRET,
    )  # fmt: skip


class Alerts:
    """The topic of alerts; pauses are kept, not waited."""

    def __init__(self, port: int) -> None:
        self.broker, self.port = MemoryBroker(), port
        MemoryAdmin(self.broker).ensure_topic("alerts", 1, {})
        self.pauses: list[float] = []
        self.ends_after = 99

    def add(self, i: int) -> None:
        decision = Decision(
            f"t{i}", "C<1>", NOW, "decline", 0.9, (Reason("a", "12 times the usual"),), (1.0,),
            "f1", "m1", "r1", "transactions", 0, i, NOW,
        )  # fmt: skip
        body = {"domain": "fraud", **msgspec.to_builtins(decision)}
        self.broker.append("alerts", b"C<1>", msgspec.json.encode(body), partition=0)

    def notifier(self) -> Notifier:
        def wait(seconds: float) -> bool:
            self.pauses.append(seconds)
            return len(self.pauses) >= self.ends_after

        source = MemorySource(self.broker, "alerts", "g.notify")
        made = Notifier(settings(self.port), source, lambda: NOW, wait)
        made.begin()
        return made


def ids(hook: Hook) -> list[str]:
    return [json.loads(body)["alert"]["id"] for _, body in hook.got]


def test_an_alert_arrives_signed_with_an_id_and_a_line_for_people(hook: Hook) -> None:
    alerts = Alerts(hook.port)
    alerts.add(0)
    notifier = alerts.notifier()
    notifier.step()
    assert hook.got == []  # what was there before the first start is not sent
    alerts.add(1)
    notifier.step()
    ((headers, body),) = hook.got
    told = json.loads(body)
    assert told["id"] == headers["X-Stormwatch-Id"] == "fraud/transactions/0/1/t1"
    assert told["text"] == "DECLINE C<1>: 12 times the usual" and told["alert"]["id"] == "t1"
    at, _, mark = headers["X-Stormwatch-Signature"].partition(",v1=")
    signed = at.removeprefix("t=").encode() + b"." + body
    assert mark == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert at == f"t={NOW // 1000}" and notifier.sent == 1


def test_it_is_sent_again_until_it_is_taken_in_order(hook: Hook) -> None:
    alerts = Alerts(hook.port)
    notifier = alerts.notifier()
    hook.statuses = [500, 429, 302, 200]
    alerts.add(1)
    alerts.add(2)
    notifier.step()
    assert ids(hook) == ["t1", "t1", "t1", "t1", "t2"] and alerts.pauses == [1, 2, 4]
    assert len({body for _, body in hook.got[:4]}) == 1


def test_what_was_not_confirmed_comes_again_after_a_crash_with_the_same_id(hook: Hook) -> None:
    alerts = Alerts(hook.port)
    alerts.ends_after = 1
    notifier = alerts.notifier()
    hook.statuses = [503]
    alerts.add(1)
    notifier.step()  # ends in the pause
    alerts.notifier().step()
    alerts.notifier().step()
    assert ids(hook) == ["t1", "t1"] and hook.got[0][1] == hook.got[1][1]


def test_one_that_is_refused_as_such_does_not_hold_up_the_others(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = Alerts(hook.port)
    notifier = alerts.notifier()
    hook.statuses = [400] * notify.TRIES
    alerts.add(1)
    alerts.broker.append("alerts", None, b"no alert", partition=0)
    alerts.add(2)
    with caplog.at_level(logging.WARNING):
        notifier.step()
    assert ids(hook)[-1] == "t2" and (notifier.sent, notifier.passed_over) == (1, 2)
    assert "is passed over: 127.0.0.1 answered 400" in caplog.text
    assert SECRET not in caplog.text + repr(notifier)


@pytest.mark.parametrize(
    ("url", "hosts", "said"),
    [
        ("https://evil.example/x", "hooks.example", "not in notify.hosts"),
        ("http://hooks.example/x", "hooks.example", "in clear"),
        ("https://u:p@hooks.example/", "hooks.example", "without a user"),
        ("ftp://hooks.example/", "hooks.example", "https://HOST"),
        ("", "", "https://HOST"), ("https://hooks.example:99999/", "hooks.example", "no URL"),
    ],
)  # fmt: skip
def test_where_alerts_may_not_go(url: str, hosts: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Target.of(replace(settings(1), notify_url=url, notify_hosts=hosts))


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_a_name_that_leads_to_this_machine_or_its_metadata_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        notify.socket, "getaddrinfo", lambda *a, **k: [(2, 1, 6, "", (address, 443))]
    )
    target = Target.of(
        replace(settings(1), notify_url="https://hooks.example/", notify_hosts="hooks.example")
    )
    with pytest.raises(SettingsError, match="Nothing is sent"):
        target.address()


def test_without_a_secret_nothing_is_sent() -> None:
    with pytest.raises(SettingsError, match=r"notify\.secret"):
        Target.of(replace(settings(1), notify_secret=""))
