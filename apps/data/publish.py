"""Publishes events at a rate: each is confirmed by Kafka, or sent again."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from stormwatch.errors import BrokerRefused, BrokerUnavailable, StormwatchError
from stormwatch.ports import Sink

TICK_S = 0.010
"""Records due within one tick leave together."""
CHUNK = 5_000
"""Records between two confirmations at most."""
CHUNK_BYTES = 16 << 20
"""Of them together, or the one record that is larger: they are kept until they are confirmed."""
CONFIRM_EVERY_S = 0.25
CONFIRM_WITHIN_S = 10.0
RETRY_S = 1.0
SHARED_MS, ALONE_MS = 20, 1
"""How long a record waits for others to share its request with: where others come in that time, and
where none does. Each request costs the broker as much as many records, and the spout a fetch."""

logger = logging.getLogger(__name__)


class Event(NamedTuple):
    """A record to be. Without a key Kafka chooses the partition."""

    key: bytes | None
    value: bytes


class Beside(NamedTuple):
    """A record to be of another topic than the events that it comes among."""

    key: bytes | None
    value: bytes
    topic: str


class Keyed(Protocol):
    """What `publish` sends."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes: ...


class Stop(Protocol):
    """A threading.Event, or what a test puts in its place."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> bool: ...


class Pace(NamedTuple):
    """When records are due: `rate` a second since `start`; rate 0 is at once. Never drifts."""

    rate: float
    start: float

    def due(self, now: float, sent: int) -> int:
        """How many more may leave now."""
        return int((now - self.start) * self.rate) - sent if self.rate else CHUNK

    def pause(self, now: float, sent: int) -> float:
        """Seconds until it is worth looking again."""
        if not self.rate:
            return 0.0
        return max(self.start + (sent + 1) / self.rate - now, TICK_S)


def publish(
    sink: Sink,
    topic: str,
    events: Iterable[Keyed],
    rate: float,
    count: int | None,
    stop: Stop,
    on_progress: Callable[[int], None],
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Send until `count`, `stop` or the end of the events; how many Kafka has confirmed. What is
    `Beside` goes to its own topic.

    While Kafka is away it waits and sends again what was not confirmed, so that a record may be
    there twice (the same bytes: a duplicate), never missing. Afterwards it catches up with `rate`.
    `on_progress` is told the confirmed records, about four times a second. Once stopped it gives up
    what cannot be confirmed in CONFIRM_WITHIN_S and raises BrokerUnavailable. An error of the
    events themselves, or a record that Kafka refuses, is raised when all before it is confirmed;
    BrokerRefused by a confirmation at once, for sending the same again helps only once a person
    has acted.
    """
    failed: list[StormwatchError] = []
    stream = islice(_until_error(events, failed), count)
    pace = Pace(rate, clock())
    confirmed, chunk, confirmed_at = 0, list[Keyed](), clock()
    size = 0
    more = True
    while more and not stop.is_set():
        before = len(chunk)
        due = max(min(pace.due(clock(), confirmed + before), CHUNK - before), 0)
        try:
            for event in islice(stream, due):
                chunk.append(event)
                size += len(event.value)
                sink.send(topic_of(event, topic), event.key, event.value)
                if size >= CHUNK_BYTES:
                    break
            more = len(chunk) - before == due or size >= CHUNK_BYTES
        except BrokerRefused as error:  # Kafka will not have this record
            chunk.pop()
            failed.append(error)
            more = False
        except BrokerUnavailable as error:
            _again(sink, topic, chunk, stop, error)
        full = len(chunk) >= CHUNK or size >= CHUNK_BYTES
        if chunk and (full or clock() - confirmed_at >= CONFIRM_EVERY_S):
            _confirm(sink, topic, chunk, stop)
            confirmed += len(chunk)
            chunk, size, confirmed_at = [], 0, clock()
            on_progress(confirmed)
        if more and rate:
            stop.wait(pace.pause(clock(), confirmed + len(chunk)))
    _confirm(sink, topic, chunk, stop)
    on_progress(confirmed + len(chunk))
    if failed:
        raise failed[0]
    return confirmed + len(chunk)


def linger_ms(rate: float) -> int | None:
    """How long a record waits for others to share its request with, at so many records/s; None at
    rate 0, where all are sent in one go."""
    if not rate:
        return None
    return ALONE_MS if rate * SHARED_MS <= 1000 else SHARED_MS


def topic_of(event: Keyed, topic: str) -> str:
    """Where it goes, among events of `topic`."""
    return event.topic if isinstance(event, Beside) else topic


def _until_error(events: Iterable[Keyed], failed: list[StormwatchError]) -> Iterator[Keyed]:
    try:
        yield from events
    except StormwatchError as error:
        failed.append(error)


def _confirm(sink: Sink, topic: str, chunk: list[Keyed], stop: Stop) -> None:
    if chunk:
        try:
            sink.flush(CONFIRM_WITHIN_S)
        except BrokerRefused:
            raise
        except BrokerUnavailable as error:
            _again(sink, topic, chunk, stop, error)


def _again(
    sink: Sink, topic: str, chunk: list[Keyed], stop: Stop, error: BrokerUnavailable
) -> None:
    """Send the chunk until it is confirmed. Raises `error` once stopped."""
    logger.warning("%s", error)
    while True:
        if stop.is_set():
            raise error
        stop.wait(RETRY_S)
        try:
            for event in chunk:
                sink.send(topic_of(event, topic), event.key, event.value)
            sink.flush(CONFIRM_WITHIN_S)
            return
        except BrokerRefused:
            raise
        except BrokerUnavailable as failed:
            error = failed
