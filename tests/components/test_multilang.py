"""The strict serializer: bytes on the wire, and what it refuses."""

import io
import json
from collections import namedtuple
from pathlib import Path
from threading import RLock
from typing import Any

import pytest
from pystorm.exceptions import StormWentAwayError
from streamparse import Bolt

from stormwatch.adapters.storm.component import StrictComponent, StrictJSONSerializer
from stormwatch.testing import drive, tup
from stormwatch.testing.storm import handshake


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


def test_a_bolt_emits_and_acks_through_it():
    said = drive(Echo, tup("good"))
    assert said.of("emit", "ack", "fail") == [
        {"command": "emit", "tuple": ["good"], "anchors": ["1"], "need_task_ids": False},
        {"command": "ack", "id": "1"},
    ]
    assert said.exit_code == 2  # Storm went away


def test_an_emit_that_cannot_be_written_fails_its_input_and_ends_the_process():
    said = drive(Echo, tup("bad"), tup("good"))
    assert [m["command"] for m in said.of("emit", "ack", "fail")] == ["fail"]
    assert said.exit_code == 1
    assert "nan is not JSON" in said.log


def test_print_does_not_break_the_protocol(tmp_path):
    import subprocess
    import sys

    program = (
        "from stormwatch.adapters.storm.component import StrictComponent\n"
        "from streamparse import Bolt\n"
        "class P(StrictComponent, Bolt):\n"
        "    def process(self, tup): print('hello'); self.logger.info('said')\n"
        "P().run()\n"
    )
    wire = b"".join(
        json.dumps(m).encode() + b"\nend\n" for m in (handshake(str(tmp_path)), tup("a", id="7"))
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], input=wire, capture_output=True,
        timeout=60, env={"PYTHONPATH": "src"}, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    sent = [json.loads(part) for part in done.stdout.split(b"\nend\n") if part]
    assert {"command": "ack", "id": "7"} in sent
    assert any(m.get("command") == "log" and "hello" in m["msg"] for m in sent)
    assert done.returncode == 2, done.stderr.decode()


def test_an_error_in_initialize_is_told_to_storm():
    class Unready(Echo):
        def initialize(self, storm_conf, context):
            raise RuntimeError("no model")

    said = drive(Unready, tup("good"))
    assert (said.exit_code, said.acks) == (1, [])
    assert "no model" in said.log
