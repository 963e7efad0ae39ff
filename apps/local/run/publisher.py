"""A process that publishes one stream: `python -m apps.local.run.publisher`, told by lines of JSON.

stdin: first the `Order`, then `Word`s; its end means stop (so a publisher never outlives its run).
It publishes nothing before it is told so: first a few records, which show that all components work,
and the rest when those are decided. So no backlog waits for components that still start.
stdout: a `Progress` line at most twice a second, and one when all that was sent is confirmed.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from apps.data.generate.labels import with_labels
from apps.data.publish import linger_ms, publish
from apps.local.run.events import generated, newest_time
from stormwatch.errors import StormwatchError
from stormwatch.ports import Sink, Source
from stormwatch.settings import load

BACKLOG = 50_000
"""With rate 0, records that may wait undecided: as fast as it goes, not faster."""
OPENING = 100
"""Records at most that are published first: a few for each partition."""
_EVERY_S = 0.5

T = TypeVar("T")


class May(IntEnum):
    """What a publisher may send."""

    NOTHING = 0
    OPENING = 1
    ALL = 2


class Order(msgspec.Struct):
    """What to publish."""

    events: str  # transactions or readings
    topic: str
    rate: float  # records/s; 0: as fast as decisions come
    run_id: str
    root: str
    seed: int = 0
    labels: str = ""  # topic of the labels of generated payments; "": they are left out


class Word(msgspec.Struct, omit_defaults=True):
    """A change while it runs."""

    decided: int = 0  # records decided since the start
    may: May = May.NOTHING  # never taken back
    stop: bool = False


class Progress(msgspec.Struct):
    """How far it is."""

    sent: int
    done: bool = False
    error: str = ""


class Gate:
    """Paces a stream of events and lets it be stopped from another thread."""

    def __init__(self, may: May = May.ALL) -> None:
        self.stop = threading.Event()
        self._may = may
        self.taken = 0
        self._decided = 0
        self._room = threading.Condition()

    def hear(self, word: Word) -> None:
        """Take in what the run says."""
        if word.stop:
            self.stop.set()
        with self._room:
            self._decided = max(self._decided, word.decided)
            self._may = max(self._may, word.may)
            self._room.notify_all()

    def wait_until(self, may: May) -> None:
        """Return once that much may be sent, or at the stop."""
        with self._room:
            while self._may < may and not self.stop.is_set():
                self._room.wait(0.2)

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


def listen(gate: Gate, lines: Iterable[bytes]) -> None:
    """Hear words until the end of the lines, which is a stop."""
    for line in lines:
        gate.hear(msgspec.json.decode(line, type=Word))
    gate.hear(Word(stop=True))


def say(progress: Progress) -> None:
    """One line to the run."""
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


def obey(order: Order, gate: Gate, sink: Sink, source: Source) -> int:
    """Publish as ordered until told to stop; the records sent, all of them confirmed.

    Raises BrokerUnavailable.
    """
    try:
        newest = newest_time(source)
    finally:
        source.close()
    backlog = BACKLOG if order.rate == 0 else sys.maxsize
    events = generated(order.events, order.seed, order.run_id, newest)
    if order.labels:
        events = with_labels(events, order.labels)
    paced = gate.limited(events, backlog)
    gate.wait_until(May.OPENING)
    first = islice(paced, opening(order.rate))
    sent = publish(sink, order.topic, first, order.rate, None, gate.stop, _teller(0))
    say(Progress(sent))
    gate.wait_until(May.ALL)
    return sent + publish(sink, order.topic, paced, order.rate, None, gate.stop, _teller(sent))


def opening(rate: float) -> int:
    """How many records are published first: what a second brings, and a few at least."""
    return min(OPENING, max(1, int(rate))) if rate else OPENING


def _teller(before: int) -> Callable[[int], None]:
    said = 0.0

    def tell(sent: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _EVERY_S:
            said = time.monotonic()
            say(Progress(before + sent))

    return tell


def main() -> int:
    """The process."""
    from stormwatch.adapters import connect

    # Unbuffered: a lock that the listening thread still holds would abort the process at its end.
    words = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 (open as long as we live)
    order = msgspec.json.decode(words.readline(), type=Order)
    settings = load(root=Path(order.root))
    gate = Gate(May.NOTHING)
    threading.Thread(target=listen, args=(gate, words), daemon=True).start()
    try:
        sink = connect.sink(settings, linger_ms=linger_ms(order.rate))
        try:
            sent = obey(order, gate, sink, connect.source(settings, order.topic))
        finally:
            sink.close()
        say(Progress(sent, done=True))
    except StormwatchError as error:
        say(Progress(gate.taken, error=str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
