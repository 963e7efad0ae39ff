"""Storm's multilang protocol, strict: what cannot be written raises instead of being lost.

pystorm's serializer catches every serialisation error, logs it and goes on, and auto-ack then acks
the input: an emit of NaN or bytes would be silent loss. Here it raises, the component ends, and
Storm's replay does the rest. Messages are bytes written in one go, by orjson.
"""

import faulthandler
import logging
import math
import os
import signal
import sys
from time import perf_counter_ns
from typing import Any

import orjson
from pystorm.exceptions import StormWentAwayError
from pystorm.serializers.serializer import Serializer

from stormwatch.adapters.storm import collector
from stormwatch.adapters.storm.pipe import Pipe
from stormwatch.adapters.storm.standard_streams import logged_stdout, take_pipes

# A component is one process among many: numpy must not start a thread a core in each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_SPOKEN = ("log", "error")
"""Commands for people's eyes: their text is mended rather than refused."""


class StrictJSONSerializer(Serializer):
    """Reads and writes multilang JSON on binary streams.

    `send_message` raises TypeError for what JSON cannot carry (NaN, infinity, bytes, integers over
    64 bits, lone surrogates) and StormWentAwayError when Storm closed the pipe.
    """

    waited = decoded = written = 0
    """Nanoseconds: for messages to come, of reading them, of serialising and writing others."""

    def read_message(self) -> Any:
        """The next message. Raises StormWentAwayError at the end of the stream."""
        lines: list[bytes] = []
        with self._reader_lock:
            began = perf_counter_ns()
            while (line := self.input_stream.readline()) != b"end\n":
                if not line:
                    raise StormWentAwayError
                lines.append(line)
        came = perf_counter_ns()
        message = orjson.loads(b"".join(lines))
        self.waited += came - began
        self.decoded += perf_counter_ns() - came
        return message

    def waiting(self) -> bool:
        """Whether the next message is here already; False where the stream cannot tell."""
        told = getattr(self.input_stream, "waiting", None)
        return told is not None and bool(told())

    def send_message(self, msg_dict: dict[str, Any]) -> None:
        """Serialise whole, then write at once."""
        began = perf_counter_ns()
        data = self.serialize_dict(msg_dict)
        with self._writer_lock:
            try:
                self.output_stream.write(data)
                self.output_stream.flush()
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                raise StormWentAwayError from error
        self.written += perf_counter_ns() - began

    def serialize_dict(self, msg_dict: dict[str, Any]) -> bytes:
        """One message with its terminator. Raises TypeError naming what cannot be sent."""
        if msg_dict.get("command") in _SPOKEN:
            text = str(msg_dict["msg"]).encode(errors="backslashreplace").decode()
            msg_dict = {**msg_dict, "msg": text}
        try:
            _refuse_non_finite(msg_dict)
            return orjson.dumps(msg_dict, default=_plain) + b"\nend\n"
        except TypeError as error:
            command, stream = msg_dict.get("command"), msg_dict.get("stream", "default")
            raise TypeError(
                f"cannot send {command!r} on stream {stream!r} to Storm: {error}. "
                "Tuple values must be JSON; encode payloads with stormwatch.codec."
            ) from error


class StrictComponent:
    """Mixin, first base of every spout and bolt: the strict serializer, and nothing unseen.

    - `print` becomes a log line instead of breaking the protocol, and what child processes and C
      libraries write to stdout goes to stderr (`adapters.storm.standard_streams`);
    - an emit with more or fewer values than its stream has fields raises: a cluster passes it on,
      and the bolt that reads it dies of it;
    - loggers under `stormwatch` reach Storm at the component's level;
    - an exception in `initialize` is shown by Storm like one in the loop, then ends the process;
    - `kill -USR1 PID` writes where each thread stands to stderr, and the component goes on.
    """

    stdout_is_free = True
    """Told to the runner: nothing that is written to stdout reaches Storm as a message."""
    own_process = False
    """Whether Storm started this process for the component: then signals are its own too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fields: dict[str, list[str]] = {}
        loose = self.serializer  # type: ignore[has-type]
        # Detached, or the text wrappers would close the pipes when they are collected.
        inlet, outlet = loose.input_stream.detach(), loose.output_stream.detach()
        if _is_of(sys.stdin, inlet) and _is_of(sys.stdout, outlet):
            self.own_process = True
            descriptor, outlet = take_pipes()
            inlet = Pipe(descriptor)
        self.serializer = StrictJSONSerializer(
            inlet,
            outlet,
            self._reader_lock,  # type: ignore[attr-defined]
            self._writer_lock,  # type: ignore[attr-defined]
        )

    def _setup_component(self, storm_conf: dict[str, Any], context: dict[str, Any]) -> None:
        super()._setup_component(storm_conf, context)  # type: ignore[misc]
        logging.getLogger("stormwatch").setLevel(
            self.logger.level  # type: ignore[attr-defined]
        )
        self._fields = context.get("stream->outputfields", {})
        if isinstance(self.serializer.input_stream, Pipe):
            sys.stdout = logged_stdout(logging.getLogger("pystorm.stdout"))

    def send_message(self, message: dict[str, Any]) -> None:
        """Raises ValueError for a tuple that has not the fields of its stream."""
        if message.get("command") == "emit":
            stream, values = message.get("stream", "default"), message["tuple"]
            fields = self._fields.get(stream)
            if fields is not None and len(fields) != len(values):
                raise ValueError(
                    f"a tuple of length {len(values)} cannot be emitted on stream {stream!r} of "
                    f"{self.component_name}: it has "  # type: ignore[attr-defined]
                    f"{len(fields)} fields ({', '.join(fields)}). Emit one value for each field."
                )
        super().send_message(message)  # type: ignore[misc]

    def read_handshake(self) -> Any:
        """Storm's configuration and context."""
        collector.spare_start()
        faulthandler.register(signal.SIGUSR1)
        return super().read_handshake()  # type: ignore[misc]

    def run(self) -> None:
        """Handshake, `initialize`, then the loop, until Storm goes away."""
        try:
            super().run()  # type: ignore[misc]
        except StormWentAwayError:
            raise SystemExit(2) from None
        except Exception as error:
            self.raise_exception(error)  # type: ignore[attr-defined]
            raise
        finally:
            if not self.own_process:  # else its end closes all, and sooner
                self.leave()

    def leave(self) -> None:
        """Close what is held. Where the component was not a process of its own, in the runner."""


def _is_of(standard: Any, stream: Any) -> bool:
    """Whether it is the process's own; streams of a test's or the runner's are not."""
    return stream is getattr(standard, "buffer", None)


def _refuse_non_finite(value: object) -> None:
    # orjson writes NaN and infinity as null: the value would arrive changed.
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{value} is not JSON")
    elif isinstance(value, dict):
        for inner in value.values():
            _refuse_non_finite(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_non_finite(inner)


def _plain(value: object) -> object:
    if isinstance(value, tuple):  # pystorm hands tuples over as named tuples
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
