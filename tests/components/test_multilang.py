"""The strict serializer: bytes on the wire, and what it refuses."""

import io
import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from textwrap import dedent, indent
from threading import RLock
from typing import Any

import pytest
from pystorm.exceptions import StormWentAwayError
from streamparse import Bolt

from stormwatch.adapters.storm.component import StrictComponent, StrictJSONSerializer
from stormwatch.testing import drive, tup
from stormwatch.testing.storm import decoded, encoded, handshake, run


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


@pytest.mark.parametrize(("values", "good"), [([1, 2], True), ([1], False), ([1, 2, 3], False)])
def test_an_emit_has_as_many_values_as_its_stream_has_fields(tmp_path, values, good):
    """A cluster would pass it on, and the bolt that reads it would die of it."""

    class Emits(Echo):
        def process(self, tup):
            self.emit(values, stream="pairs")

    context = {
        "taskid": 1, "componentid": "here", "task->component": {"1": "here"},
        "stream->outputfields": {"pairs": ["a", "b"]},
    }  # fmt: skip
    out = io.BytesIO()
    wire = [encoded(handshake(str(tmp_path), {}, context)), encoded(tup("x", id="1"))]
    run(Emits, io.BytesIO(b"".join(wire)), out)
    said = decoded(out.getvalue())
    assert [m["tuple"] for m in said if m.get("command") == "emit"] == [values] * good
    if not good:
        errors = [m["msg"] for m in said if m.get("command") == "error"]
        told = f"a tuple of length {len(values)} cannot be emitted on stream 'pairs' of here"
        assert told in "".join(errors)


def run_process(tmp_path: Path, body: str) -> tuple[list[Any], str]:
    """What a bolt whose `process` is `body` says to Storm as a process of its own; its stderr."""
    program = (
        "import os, subprocess, sys\n"
        "from stormwatch.adapters.storm.component import StrictComponent\n"
        "from streamparse import Bolt\n"
        "class P(StrictComponent, Bolt):\n"
        f"    def process(self, tup):\n{indent(dedent(body), ' ' * 8)}\n"
        "P().run()\n"
    )
    wire = b"".join(
        json.dumps(m).encode() + b"\nend\n" for m in (handshake(str(tmp_path)), tup("a", id="7"))
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], input=wire, capture_output=True,
        timeout=60, env={"PYTHONPATH": "src", "PATH": os.environ["PATH"]},
        cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    said = [json.loads(part) for part in done.stdout.split(b"\nend\n") if part]
    assert {"command": "ack", "id": "7"} in said, done.stderr.decode()
    assert done.returncode == 2, done.stderr.decode()
    return said, done.stderr.decode()


def logged(said: list[Any]) -> list[str]:
    """What was logged after the greeting, without time and logger."""
    return [m["msg"].rpartition(" - ")[2] for m in said if m.get("command") == "log"][1:]


def test_print_is_a_log_line(tmp_path):
    said, _ = run_process(tmp_path, "print('hello', 1); self.logger.info('said')")
    assert logged(said)[:2] == ["hello 1", "said"]


@pytest.mark.parametrize(
    "body",
    [
        "subprocess.run(['echo', 'from outside'])",
        "os.system('echo from outside')",
        "import ctypes; libc = ctypes.CDLL(None); libc.puts(b'from outside'); libc.fflush(None)",
        "os.write(1, b'from outside\\n')",
        "subprocess.run(['echo', 'from outside'], stdout=sys.stdout)",
        "subprocess.run(['sh', '-c', 'cat; echo from outside'])",
    ],
)
def test_children_and_c_code_write_to_stderr(tmp_path, body: str):
    """And read nothing: descriptor 0 is Storm's, too."""
    said, errors = run_process(tmp_path, body)
    assert "from outside" in errors
    assert not any("from outside" in text for text in logged(said))


def test_stdout_is_a_text_stream(tmp_path):
    said, errors = run_process(
        tmp_path,
        r"""
        assert not sys.stdout.isatty() and sys.stdout.writable() and sys.stdout.encoding == "utf-8"
        assert sys.stdin.read() == "" and sys.stdout.fileno() == 1
        sys.stdout.writelines(["one\n", "two\n"])
        sys.stdout.buffer.write(b"three\n")
        sys.stdout.write("four, lone \ud800 ü")
        sys.stdout.flush()
        print("no end", end="")
        print(file=sys.stdout)
        import logging
        logging.getLogger("pystorm.stdout").addHandler(logging.StreamHandler(sys.stdout))
        print("a handler that prints")
        """,
    )
    assert logged(said)[:6] == [
        "one", "two", "three", "four, lone \\ud800 ü", "no end", "a handler that prints",
    ]  # fmt: skip
    assert "a handler that prints" in errors


def test_an_error_in_initialize_is_told_to_storm():
    class Unready(Echo):
        def initialize(self, storm_conf, context):
            raise RuntimeError("no model")

    said = drive(Unready, tup("good"))
    assert (said.exit_code, said.acks) == (1, [])
    assert "no model" in said.log
