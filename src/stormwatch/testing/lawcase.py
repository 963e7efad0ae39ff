"""What a law drives a bolt with, and how it says that a law is broken."""

import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, get_args, get_origin

from stormwatch.codec import RECORDS, Parsed
from stormwatch.testing import storm
from stormwatch.testing.events import ODD, payload
from stormwatch.testing.examples import odd, of_one_key
from stormwatch.testing.storm import Message, batch, fragment

BATCHES, SIZE = 4, 5


class LawBroken(AssertionError):
    """What the component did, what it would cost, how to mend it."""


class Held(Protocol):
    """Whom a law holds to something."""

    @property
    def component(self) -> type: ...


@dataclass(frozen=True)
class Case:
    """A bolt and what it is driven with. `inputs` replaces the tuples made from its `payload`."""

    bolt: type
    inputs: Sequence[Message] = ()
    corpus: Sequence[bytes | None] = ODD
    conf: Mapping[str, Any] = field(default_factory=dict)
    patience_s: float = 10.0

    @property
    def component(self) -> type:
        return self.bolt

    def batches(
        self, count: int = BATCHES, size: int = SIZE, start: int = 0, **identity: int
    ) -> list[Message]:
        """The tuples of successive fragments from offset `start`, ids "1", "2", …"""
        if self.inputs:
            given = list(self.inputs) * (1 + (count * size) // (BATCHES * SIZE * len(self.inputs)))
            return list(storm.numbered(given))
        return list(storm.numbered(self._made(range(start, start + count * size, size), identity)))

    def of_one_key(self, offsets: range) -> list[Message]:
        """One tuple of events of one key, years of them; none where the bolt reads no events."""
        kind = self._kind() if not self.inputs else None
        if get_origin(kind) is not Parsed:
            return []
        whole = fragment(offsets.start, offsets.stop - 1)
        events = [of_one_key(get_args(kind)[0], offset) for offset in offsets]
        return list(storm.numbered([batch(whole, payload(kind, whole, events=events))]))

    def bad(self) -> list[Message]:
        """The corpus: as records where the bolt reads records, else events that nobody expects."""
        kind = self._kind()
        if self.inputs:
            return self.batches()
        whole = fragment(0, max(len(self.corpus), SIZE) - 1)
        empty = fragment(9, 9)
        if kind == RECORDS:
            return list(storm.numbered([batch(whole, payload(kind, whole, values=self.corpus))]))
        if get_origin(kind) is Parsed:
            events = odd(get_args(kind)[0])
            wild = [batch(whole, payload(kind, whole, events=events))] if events else []
            return list(storm.numbered([*wild, batch(empty, Parsed([], [9], []))]))
        return self.batches(count=1)

    def _made(self, firsts: range, identity: Mapping[str, int]) -> Iterator[Message]:
        kind = self._kind()
        for first in firsts:
            whole = fragment(first, first + firsts.step - 1, **identity)  # type: ignore[arg-type]
            yield batch(whole, payload(kind, whole))

    def _kind(self) -> Any:
        kind = getattr(self.bolt, "payload", None)
        if kind is None and not self.inputs:
            raise TypeError(
                f"{self.bolt.__name__} declares no `payload`, so no tuple can be made for it: "
                "pass inputs=[tup(…), …] with the tuples that it reads."
            )
        return kind


def broken(case: Held, what: str, cost: str, mend: str) -> NoReturn:
    """Raises LawBroken."""
    raise LawBroken(f"{case.component.__name__} {what}.\nAt run time: {cost}.\nTo fix it: {mend}.")


class FakeStdin(io.RawIOBase):
    """Storm's pipe to a component; knows for how long nothing was read from it."""

    def __init__(self, hello: Message, messages: Iterator[bytes]) -> None:
        super().__init__()
        self.longest_s = 0.0
        self._messages = messages
        self._waiting = storm.encoded(hello)
        self._served: float | None = None

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        """The next line; no bytes at the end."""
        if not self._waiting:
            if self._served is not None:
                self.longest_s = max(self.longest_s, time.monotonic() - self._served)
            self._waiting = next(self._messages, b"")
        line, _, self._waiting = self._waiting.partition(b"\n")
        self._served = time.monotonic()
        return line + b"\n" if line else b""


class Nowhere(io.RawIOBase):
    """A pipe to Storm that nobody reads."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        """Forget it."""
        return len(data)


@contextlib.contextmanager
def stdout_caught() -> Iterator[list[bytes]]:
    """What is written meanwhile to stdout, by Python or beneath it, once the block is left."""
    written: list[bytes] = []
    before = sys.stdout
    before.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        sys.stdout = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), write_through=True)
        try:
            yield written
        finally:
            sys.stdout.close()
            sys.stdout = before
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            if data := file.read():
                written.append(data)
