"""What the Kafka clients log: without repetition, and only where nothing else reports it."""

import logging
import re

from stormwatch.adapters.kafka import auth_errors as way_in

REPEAT_AFTER_S = 30.0
RETRY_S = 5.0
_GUESS = re.compile(r" or broker version is < [\d.]+ \(see [\w.]+\)")


def plain(said: str) -> str:
    """What librdkafka says, without its guess that a broker which hung up is 10 years old."""
    return _GUESS.sub("", said)


class Sparingly(logging.Filter):
    """Drops what was said in the last REPEAT_AFTER_S: clients tell of every attempt. What one
    tries again by itself is told if it goes on for RETRY_S; a new broker needs a second."""

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[str, float] = {}  # what was said, or tried again -> when it may be told

    def filter(self, record: logging.LogRecord) -> bool:
        message = plain(record.getMessage())
        record.msg, record.args = message, None
        way_in.hear_size(message)
        shape = re.sub(r"\d+", "", message)[-80:]
        if len(self._due) > 100:
            self._due.clear()
        due = self._due.get(shape, 0.0)
        if record.created > due + REPEAT_AFTER_S:  # new, or silent since
            due = record.created + (RETRY_S if message.endswith("retrying") else 0.0)
        told = record.created >= due
        self._due[shape] = record.created + REPEAT_AFTER_S if told else due
        return told
