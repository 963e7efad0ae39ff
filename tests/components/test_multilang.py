"""The strict serializer: bytes on the wire, and what it refuses."""

import io
import json
import logging
from collections import namedtuple
from pathlib import Path
from threading import RLock
from typing import Any

import pytest
from pystorm.exceptions import StormWentAwayError
from streamparse import Bolt

from stormwatch.adapters.multilang import StrictComponent, StrictJSONSerializer


@pytest.fixture(autouse=True)
def _clean_logging():
    before = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = before


def serializer(incoming: bytes = b"", out: Any = None) -> StrictJSONSerializer:
    out = io.BytesIO() if out is None else out
    return StrictJSONSerializer(io.BytesIO(incoming), out, RLock(), RLock())


def test_round_trip_of_a_message():
    Pair = namedtuple("Pair", "a b")
    sender = serializer()
    sender.send_message({"command": "emit", "tuple": Pair(1, "ä\n"), "id": "x"})
    raw = sender.output_stream.getvalue()
    assert raw.endswith(b"\nend\n")
    assert raw.count(b"\n") == 2
    got = serializer(b"\n\n" + raw).read_message()
    assert got == {"command": "emit", "tuple": [1, "ä\n"], "id": "x"}


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), b"x", 1 << 70, object(), [{"a": (float("-inf"),)}], "\ud800"],
)
def test_what_json_cannot_carry_raises_and_writes_nothing(value):
    sender = serializer()
    with pytest.raises(TypeError, match="cannot send 'emit' on stream 'default'"):
        sender.send_message({"command": "emit", "tuple": [value]})
    assert sender.output_stream.getvalue() == b""


def test_a_log_line_is_mended_not_refused():
    sender = serializer()
    sender.send_message({"command": "log", "msg": "odd \ud800", "level": 2})
    assert json.loads(sender.output_stream.getvalue().split(b"\nend")[0])["msg"] == "odd \\ud800"


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed")])
def test_a_broken_pipe_means_storm_went_away(error):
    class Broken(io.BytesIO):
        def write(self, data):
            raise error

    with pytest.raises(StormWentAwayError):
        serializer(out=Broken()).send_message({"command": "sync"})


def test_the_end_of_input_means_storm_went_away():
    with pytest.raises(StormWentAwayError):
        serializer(b'{"command": "ne').read_message()


class Echo(StrictComponent, Bolt):
    outputs = ("x",)

    def process(self, tup):
        self.emit([float("nan") if tup.values[0] == "bad" else tup.values[0]])


def handshake(folder: Path) -> dict[str, Any]:
    context = {"taskid": 1, "componentid": "echo", "task->component": {"1": "echo"}}
    return {"pidDir": str(folder), "conf": {"topology.name": "t"}, "context": context}


def drive(component: type, folder: Path, *messages: dict[str, Any]) -> tuple[int, list[Any]]:
    wire = b"".join(json.dumps(m).encode() + b"\nend\n" for m in (handshake(folder), *messages))
    out = io.BytesIO()
    with pytest.raises(SystemExit) as stop:
        component(io.BytesIO(wire), out, rdb_signal=None).run()
    sent = [json.loads(part) for part in out.getvalue().split(b"\nend\n") if part]
    return int(stop.value.code or 0), sent


def tuple_of(*values: Any) -> dict[str, Any]:
    return {"id": "7", "comp": "s", "stream": "default", "task": 2, "tuple": list(values)}


def test_a_bolt_emits_and_acks_through_it(tmp_path):
    code, sent = drive(Echo, tmp_path, tuple_of("good"))
    commands = [m for m in sent if m.get("command") in ("emit", "ack", "fail")]
    assert commands == [
        {"command": "emit", "tuple": ["good"], "anchors": ["7"], "need_task_ids": False},
        {"command": "ack", "id": "7"},
    ]
    assert code == 2  # Storm went away


def test_an_emit_that_cannot_be_written_fails_its_input_and_ends_the_process(tmp_path):
    code, sent = drive(Echo, tmp_path, tuple_of("bad"), tuple_of("good"))
    commands = [m["command"] for m in sent if m.get("command") in ("emit", "ack", "fail")]
    assert commands == ["fail"]
    assert code == 1
    assert any("nan is not JSON" in m.get("msg", "") for m in sent)


def test_print_does_not_break_the_protocol(tmp_path):
    import subprocess
    import sys

    program = (
        "from stormwatch.adapters.multilang import StrictComponent\n"
        "from streamparse import Bolt\n"
        "class P(StrictComponent, Bolt):\n"
        "    def process(self, tup): print('hello'); self.logger.info('said')\n"
        "P().run()\n"
    )
    wire = b"".join(
        json.dumps(m).encode() + b"\nend\n" for m in (handshake(tmp_path), tuple_of("a"))
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], input=wire, capture_output=True,
        timeout=60, env={"PYTHONPATH": "src"}, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    sent = [json.loads(part) for part in done.stdout.split(b"\nend\n") if part]
    assert {"command": "ack", "id": "7"} in sent
    assert any(m.get("command") == "log" and "hello" in m["msg"] for m in sent)
    assert done.returncode == 2, done.stderr.decode()


def test_an_error_in_initialize_is_told_to_storm(tmp_path):
    class Unready(Echo):
        def initialize(self, storm_conf, context):
            raise RuntimeError("no model")

    wire = json.dumps(handshake(tmp_path)).encode() + b"\nend\n"
    out = io.BytesIO()
    with pytest.raises(RuntimeError, match="no model"):
        Unready(io.BytesIO(wire), out, rdb_signal=None).run()
    assert b'"command":"error"' in out.getvalue()
