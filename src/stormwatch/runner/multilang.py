"""The multilang protocol, Storm's side: JSON messages that end with a line `end`."""

from collections.abc import Iterator
from typing import Any

import msgspec

from stormwatch.runner.javahash import as_java

END = b"\nend\n"
DEFAULT = "default"


class Said(msgspec.Struct):
    """One message of a component. What `command` leaves unused keeps its default."""

    command: str = ""
    id: Any = None  # a spout's own, any JSON; a bolt's is a tuple's
    values: list[Any] = msgspec.field(default_factory=list, name="tuple")
    stream: str = DEFAULT
    anchors: list[str] = msgspec.field(default_factory=list)
    task: int = 0
    need_task_ids: bool = True
    msg: Any = None
    level: int = 2
    name: str = ""
    params: Any = None
    pid: int = 0


_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(Said, float_hook=as_java).decode


def encode(message: object) -> bytes:
    """A message for a component."""
    return _encode(message) + END


def decode(data: bytes) -> Said:
    """A message of a component, without its end. Raises ValueError: Storm would end the worker."""
    return _decode(data)


def parts(data: bytes) -> Iterator[bytes]:
    """The messages in what a component wrote; it writes whole ones."""
    return (part for part in data.split(END) if part.strip())
