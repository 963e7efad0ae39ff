"""What a container runs: one service, or a wait for those of others."""

import socket
import threading
import time

import pytest

from apps.local.services import alone, ports
from apps.local.services.errors import ServiceError


def test_waiting_ends_when_all_listen_and_says_what_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "_LOOK_S", 0.01)
    monkeypatch.setattr(alone, "_TELL_S", 0.0)
    late = ports.free()
    with socket.create_server((ports.HOST, 0)) as there:
        waiting = threading.Thread(
            target=alone.main, args=("wait", str(there.getsockname()[1]), str(late)), daemon=True
        )
        waiting.start()
        end = time.monotonic() + 30
        said = ""
        while f"port {late}" not in said and time.monotonic() < end:
            said += capsys.readouterr().out
            time.sleep(0.01)
        assert f"for what listens on port {late}" in said
        assert waiting.is_alive()
        with socket.create_server((ports.HOST, late)):
            waiting.join(30)
        assert not waiting.is_alive()


def test_what_is_no_service_is_told_with_those_that_are() -> None:
    with pytest.raises(ServiceError, match="redis is none of kafka, cassandra, zookeeper"):
        alone.main("redis")
