"""Storm's side of a bolt: the handshake and tuples in, commands out, over the multilang bytes."""

import contextlib
import gc
import io
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.codec import to_values
from stormwatch.records import Fragment

Message = dict[str, Any]

HEARTBEAT: Message = {
    "id": "heartbeat", "comp": "__system", "stream": "__heartbeat", "task": -1, "tuple": [],
}  # fmt: skip
TICK: Message = {
    "id": "tick", "comp": "__system", "stream": "__tick", "task": -1, "tuple": [1],
}  # fmt: skip

END = b"\nend\n"


class Said(NamedTuple):
    """All that a component wrote until it ended.

    `exit_code` is 2 when only Storm's going ended it, 1 when it gave up by itself.
    """

    exit_code: int
    messages: list[Message]

    def of(self, *commands: str) -> list[Message]:
        """The messages of these commands, in order."""
        return [m for m in self.messages if m.get("command") in commands]

    @property
    def emits(self) -> list[Message]:
        """Each with `tuple`, `stream` ("default" where none was named) and `anchors`."""
        return [{"stream": "default", **m} for m in self.of("emit")]

    @property
    def acks(self) -> list[str]:
        """Ids of acked tuples, in order; ticks are no one's record and left out."""
        return [m["id"] for m in self.of("ack") if m["id"] != TICK["id"]]

    @property
    def fails(self) -> list[str]:
        """Ids of failed tuples, in order."""
        return [m["id"] for m in self.of("fail")]

    @property
    def log(self) -> str:
        """What it logged, tracebacks included, one text."""
        return "\n".join(m["msg"] for m in self.of("log", "error"))


def fragment(
    first: int = 0, last: int | None = None, *, topic: str = "events", partition: int = 0,
    generation: int = 1, attempt: int = 0,
) -> Fragment:  # fmt: skip
    """The identity of a micro-batch of the offsets `first` to `last`."""
    last = first if last is None else last
    return Fragment(topic, partition, 1, first, last, generation, attempt)


def tup(*values: object, stream: str = "default", comp: str = "before", id: str = "") -> Message:  # noqa: A002
    """A tuple as it reaches a bolt. Without an id `drive` numbers it: "1", "2", …"""
    return {"id": id, "comp": comp, "stream": stream, "task": 2, "tuple": list(values)}


def batch(
    fragment: Fragment, payload: object, id: str = "", *, stream: str = "default",  # noqa: A002
    comp: str = "before",
) -> Message:  # fmt: skip
    """A micro-batch as it reaches a bolt: the fields of `codec.BATCH_FIELDS`."""
    return tup(*to_values(fragment, payload), stream=stream, comp=comp, id=id)


class _AtOnce(io.BytesIO):
    """Messages that are all there already, as `adapters.pipe.Pipe` tells of a real pipe."""

    def waiting(self) -> bool:
        """Whether a whole message is left."""
        return END in self.getbuffer()[self.tell() :].tobytes()


def drive(
    bolt: type, *messages: Message, conf: Mapping[str, Any] | None = None, at_once: bool = False
) -> Said:
    """Run a bolt of this class over these messages; then Storm goes away.

    `conf` is Storm's configuration; settings are there under `stormwatch.`, as on a worker
    (`{"stormwatch.batch.max_records": 5}`). The environment's settings are not seen. `at_once`: the
    bolt may see that all messages wait, and work on batches together (`BatchBolt.together`).
    """
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        hello = handshake(folder, conf)
        wire = b"".join(encoded(m) for m in (hello, *numbered(messages)))
        code = run(bolt, (_AtOnce if at_once else io.BytesIO)(wire), out)
    return Said(code, decoded(out.getvalue()))


def handshake(
    folder: str, conf: Mapping[str, Any] | None = None, context: Mapping[str, Any] | None = None
) -> Message:
    """Storm's first message to a component: task 1, named `here`, of the topology `test`."""
    return {
        "pidDir": folder,
        "conf": {"topology.name": "test", **(conf or {})},
        "context": context
        or {"taskid": 1, "componentid": "here", "task->component": {"1": "here"}},
    }


def numbered(messages: Iterable[Message]) -> Iterator[Message]:
    """The same; tuples without an id are "1", "2", …"""
    numbers = count(1)
    for message in messages:
        nameless = "tuple" in message and not message["id"]
        yield {**message, "id": str(next(numbers))} if nameless else message


def encoded(message: Message) -> bytes:
    """One message as it is on the wire."""
    return json.dumps(message).encode() + END


def decoded(wire: bytes) -> list[Message]:
    """The messages of what was written."""
    return [json.loads(part) for part in wire.split(END) if part]


def run(component: type, incoming: Any, outgoing: Any) -> int:
    """A component's whole life over these two byte streams; its exit code."""
    with _alone():
        made = component(incoming, outgoing, rdb_signal=None)
        made._exit = _leave
        try:
            made.run()
        except SystemExit as stop:
            return int(stop.code or 0)
        except Exception:
            if isinstance(made, StrictComponent):
                return 1  # it told Storm, with the traceback
            raise
    raise AssertionError(f"{component.__name__}.run() returned, which no component does")


def _leave(code: int) -> None:
    # pystorm ends by os._exit when there are threads, which would end the test run.
    raise SystemExit(code)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """What a component does to its process is undone: logging, collector, stdout, environment."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    loggers = [logging.getLogger(name) for name in ("pystorm", "stormwatch")]
    levels = [logger.level for logger in loggers]
    threshold, stdout = gc.get_threshold(), sys.stdout
    environ = {k: os.environ.pop(k) for k in list(os.environ) if k.startswith("STORMWATCH_")}
    try:
        yield
    finally:
        root.handlers[:], sys.stdout = handlers, stdout
        root.setLevel(level)
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)
        gc.set_threshold(*threshold)
        gc.unfreeze()
        os.environ.update(environ)
