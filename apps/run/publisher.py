"""A process that publishes one stream: `python -m apps.run.publisher`, told by lines of JSON.

stdin: first the `Order`, then `Word`s; its end means stop (so a publisher never outlives its run).
stdout: a `Progress` line at most twice a second, and one when all that was sent is confirmed.
"""

import sys
import threading
from collections.abc import Iterator
from typing import TypeVar

import msgspec

WARM_UP_RATE = 100.0
"""records/s before the topology is ready: enough to warm it, too few for a backlog."""
BACKLOG = 50_000
"""With rate 0, records that may wait undecided: as fast as it goes, not faster."""
_EVERY_S = 0.5

T = TypeVar("T")


class Order(msgspec.Struct):
    """What to publish."""

    events: str  # transactions or readings
    topic: str
    rate: float  # records/s; 0: as fast as decisions come
    run_id: str
    root: str
    seed: int = 0


class Word(msgspec.Struct, omit_defaults=True):
    """A change while it runs."""

    go: bool = False  # the topology is ready: leave the warm-up rate
    decided: int = 0  # records decided since the start
    stop: bool = False


class Progress(msgspec.Struct):
    """How far it is."""

    sent: int
    done: bool = False
    error: str = ""


class Gate:
    """Paces a stream of events and lets it be stopped from another thread."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.stop = threading.Event()
        self.taken = 0
        self._decided = 0
        self._room = threading.Condition()

    def hear(self, word: Word) -> None:
        """Take in what the run says."""
        if word.go:
            self.go.set()
        if word.stop:
            self.stop.set()
        with self._room:
            self._decided = max(self._decided, word.decided)
            self._room.notify_all()

    def limited(self, events: Iterator[T], backlog: int) -> Iterator[T]:
        """The events, held back while more than `backlog` taken ones are undecided."""
        for event in events:
            with self._room:
                while self.taken - self._decided >= backlog and not self.stop.is_set():
                    self._room.wait(0.2)
            if self.stop.is_set():
                return
            self.taken += 1
            yield event


class _Either(threading.Event):
    """Set when itself or another event is."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or self._other.is_set()


def listen(gate: Gate, lines: Iterator[bytes]) -> None:
    """Hear words until the end of the lines, which is a stop."""
    for line in lines:
        gate.hear(msgspec.json.decode(line, type=Word))
    gate.hear(Word(stop=True))


def say(progress: Progress) -> None:
    """One line to the run."""
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()
