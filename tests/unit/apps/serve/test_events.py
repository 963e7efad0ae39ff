"""Readers of the newest state: who never reads is dropped, and an alert's record rings."""

import socket
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, BinaryIO

import pytest

from apps.serve import events, front, newest
from tests.models.asked import asked, wait
from tests.models.decided_payments import SETTINGS, Decided


def reading(port: int, path: str = "/v1/events") -> socket.socket:
    """A connection that has asked for the stream, and takes as little at once as can be."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    one.settimeout(10)
    one.connect(("127.0.0.1", port))
    one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return one


def opened(port: int) -> int:
    """The status of one more reader, who leaves at once."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as link:
        link.request("GET", "/v1/events")
        return link.getresponse().status


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone drops them")
def test_who_never_reads_costs_one_slot_and_is_dropped(
    often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAMS", 1)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(front, "UNREAD_MS", 200)
    monkeypatch.setattr(front, "_UNREAD_BYTES", 2_048)
    with asked() as api, closing(reading(api.port)) as one:
        wait(lambda: opened(api.port) == 503)
        many = 0

        def news() -> bool:
            nonlocal many
            many += 1
            api.world.alerts_of([f"{many}-{i}" for i in range(40)])
            return opened(api.port) == 200

        wait(news)
        with pytest.raises(ConnectionError):
            while one.recv(1 << 16):
                pass
            raise ConnectionResetError  # closed in order: as good


@pytest.mark.parametrize("is_told", [True, False])
def test_who_never_reads_what_little_there_is_gives_its_slot_back(
    often: None, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """What is sent finds room in the system's buffers for hours: nothing else would end it."""
    monkeypatch.setattr(events, "STREAMS", 1)
    monkeypatch.setattr(events, "STREAM_S", 0.5 if is_told else 3_600.0)
    monkeypatch.setattr(events, "GRACE_S", 60.0 if is_told else 0.5 - 3_600.0)
    with asked() as api, closing(reading(api.port)) as one:
        wait(lambda: opened(api.port) == 503)
        wait(lambda: opened(api.port) == 200)
        held = b""
        while part := one.recv(1 << 16):
            held += part
        assert b"event: rates" in held and (b"event: again" in held) == is_told


def test_a_reader_that_leaves_gives_its_slot_back(
    often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAMS", 1)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    with asked() as api:
        one = reading(api.port)
        assert one.recv(64).startswith(b"HTTP/1.1 200")
        wait(lambda: opened(api.port) == 503)
        one.close()
        wait(lambda: opened(api.port) == 200)


def test_an_alerts_record_rings_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is found because its record was published: without, it would not be for an hour."""
    monkeypatch.setattr(newest, "UNRUNG_S", 3_600.0)
    monkeypatch.setattr(newest, "IDLE_S", 0.05)
    world = Decided()
    world.admin.ensure_topic(SETTINGS.topic_alerts, 1, {})
    with (
        asked(world=world) as api,
        closing(reading(api.port)) as one,
        closing(one.makefile("rb")) as stream,
    ):
        until(stream, "t27")
        world.alerts_of(["came-later"])
        world.broker.append(SETTINGS.topic_alerts, None, b"{}", partition=0)
        until(stream, "t100")


def test_a_look_that_fails_is_not_the_last(often: None, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, failed = newest.newest_alerts, []

    def once(*asked: Any) -> Any:
        if not failed:
            failed.append(asked)
            raise RuntimeError("a fault of one look")
        return looks(*asked)

    monkeypatch.setattr(newest, "newest_alerts", once)
    with (
        asked() as api,
        closing(reading(api.port)) as one,
        closing(one.makefile("rb")) as stream,
    ):
        until(stream, "t27")
    assert failed


def until(stream: BinaryIO, name: str) -> None:
    """The stream has told of this alert."""
    end = time.monotonic() + 20
    for line in stream:
        if line.startswith(b'data: {"alerts"') and b'"id":"%s"' % name.encode() in line:
            return
        assert time.monotonic() < end
    pytest.fail("the stream ended")
