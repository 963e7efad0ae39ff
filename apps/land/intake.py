"""From a source without offsets into the log: take, append, flush, then acknowledge.

What dies between the flush and the acknowledgement comes again, is appended again and ends as
`duplicate`; nothing is acknowledged that is not in the log. So what is promised here is what the
source promises: each message at least once. From the append on it is what Stormwatch promises.
"""

import logging
import time
from collections.abc import Sequence
from threading import Event
from typing import Any, NamedTuple, Protocol

from apps.land.appender import Append, Appender
from apps.land.figures import Figures
from apps.land.streams import Stream
from stormwatch.errors import BrokerRefused, BrokerUnavailable, InfrastructureError

AT_ONCE = 1_000
TAKE_S = 0.5
RETRY_S, RETRY_MAX_S = 0.5, 5.0

logger = logging.getLogger(__name__)


class Message(NamedTuple):
    """One message as it came."""

    value: bytes
    id: str  # the source's own, the same each time that it comes; "" where it has none
    key: bytes | None  # where the body names none
    handle: Any  # what acknowledges it


class Intake(Protocol):
    """A source that gives messages again until they are acknowledged."""

    def take(self, most: int, timeout: float) -> list[Message]:
        """What has come, else what comes within `timeout` s. Raises InfrastructureError."""

    def hold(self, messages: Sequence[Message]) -> None:
        """They are still being worked on: do not give them to somebody else."""

    def done(self, messages: Sequence[Message]) -> None:
        """Acknowledge. Best effort: what is not acknowledged comes again."""

    def close(self) -> None:
        """Leave; what was not acknowledged comes again. Idempotent."""


def carry(
    intake: Intake, stream: Stream, appender: Appender, figures: Figures, stop: Event
) -> None:
    """Until `stop`. Raises BrokerRefused where Kafka will not have a message, what `take` raises
    that is no InfrastructureError."""
    pause = RETRY_S
    while not stop.is_set():
        began = time.monotonic()
        try:
            messages = intake.take(AT_ONCE, TAKE_S)
            pause = RETRY_S
        except InfrastructureError as error:
            logger.warning("%s", error)
            stop.wait(pause)
            pause = min(2 * pause, RETRY_MAX_S)
            continue
        if not messages:
            continue
        figures.memory.set(sum(len(each.value) for each in messages))
        if not _append(intake, messages, stream, appender, figures, stop):
            return
        intake.done(messages)
        figures.landed.labels(stream.topic).inc(len(messages))
        figures.seconds.observe(time.monotonic() - began)
        figures.memory.set(0)


def _append(
    intake: Intake, messages: Sequence[Message], stream: Stream, appender: Appender,
    figures: Figures, stop: Event,
) -> bool:  # fmt: skip
    """Until Kafka has all of them, in their order; False where it was told to stop before."""
    appends = [_record(stream, each) for each in messages]
    pause = RETRY_S
    while True:
        try:
            appender.append(appends).result()
            return True
        except BrokerRefused:
            raise
        except BrokerUnavailable as error:
            logger.warning("%s", error)
            figures.again.inc()
        intake.hold(messages)
        if stop.wait(pause):
            return False
        pause = min(2 * pause, RETRY_MAX_S)


def _record(stream: Stream, message: Message) -> Append:
    value = stream.bounded(message.value)
    if message.id:
        value = stream.named(value, message.id)
    return Append(stream.topic, stream.key(value) or message.key, value)
