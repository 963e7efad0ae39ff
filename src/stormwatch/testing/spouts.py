"""Storm's side of a spout: a script that answers each `sync` with the next command."""

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stormwatch.testing.storm import END, Message, encoded, handshake, run

Script = Callable[["Conversation"], Iterator[Message]]


class Conversation(io.RawIOBase):
    """Both byte streams of a spout: what it wrote is in `sent`, what it reads the script yields.

    The script sees the conversation so far, so it can ack what was emitted:
    `yield {"command": "ack", "id": storm.emits[-1]["id"]}`.
    """

    def __init__(self, messages: Callable[["Conversation"], Iterator[Message]]) -> None:
        super().__init__()
        self.sent: list[Message] = []
        self.code = 0
        self._messages = messages(self)
        self._waiting = b""

    @property
    def emits(self) -> list[Message]:
        """Emitted tuples, in order."""
        return [m for m in self.sent if m.get("command") == "emit"]

    @property
    def log(self) -> str:
        """What it logged, one text."""
        return "\n".join(m["msg"] for m in self.sent if m.get("command") in ("log", "error"))

    def turns(self, count: int = 20) -> Iterator[Message]:
        """`next` until something new is emitted, at most `count` times."""
        before = len(self.emits)
        for _ in range(count):
            if len(self.emits) > before:
                return
            yield {"command": "next"}

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        """The next line for the spout; no bytes at the script's end."""
        if not self._waiting:
            message = next(self._messages, None)
            self._waiting = b"" if message is None else encoded(message)
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line + b"\n" if line else b""

    def write(self, data: Any, /) -> int:
        """A whole message of the spout."""
        body = bytes(data)
        assert body.endswith(END), "a component writes whole messages"
        self.sent.append(json.loads(body[: -len(END)]))
        return len(body)


def converse(
    spout: type,
    script: Script,
    *,
    conf: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Conversation:
    """Run a spout through the script; then Storm goes away."""
    with tempfile.TemporaryDirectory() as folder:

        def whole(storm: Conversation) -> Iterator[Message]:
            yield handshake(folder, conf, context)
            yield from script(storm)

        storm = Conversation(whole)
        storm.code = run(spout, storm, storm)
    return storm
