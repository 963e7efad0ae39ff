"""What librdkafka says is passed on, but not all of it."""

import logging

from stormwatch.adapters.kafka.client_log import RETRY_S, plain
from stormwatch.adapters.kafka.confluent.connection import logger

OFTEN = "Failed to resolve 'broker:9092'"
RETRIED = "Failed to acquire idempotence PID: Coordinator load in progress: retrying"


def told(message: str, *times: float) -> list[float]:
    """When it is passed on, of the seconds at which it is said."""
    (sparingly,) = logger.filters
    fresh = type(sparingly)()
    heard = []
    for time in times:
        record = logging.LogRecord("kafka", logging.WARNING, "", 1, message, None, None)
        record.created = 1e9 + time
        if fresh.filter(record):
            heard.append(time)
    return heard


def test_what_is_said_at_each_attempt_is_told_now_and_then() -> None:
    assert told(OFTEN, *range(70)) == [0, 30, 60]


def test_what_it_tries_again_is_told_only_where_that_does_not_help() -> None:
    assert told(RETRIED, 0, 0.5, 1) == []
    assert told(RETRIED, *range(50)) == [RETRY_S, RETRY_S + 30]
    assert told(RETRIED, 0, 1, 100, 101) == []  # another time, and over as soon


def test_its_guess_about_old_brokers_is_not_passed_on() -> None:
    (sparingly,) = logger.filters
    said = (
        "1/1: Disconnected while requesting ApiVersion: might be caused by incorrect "
        "security.protocol configuration (connecting to a SSL listener?) or broker version is "
        "< 0.10 (see api.version.request) (after 1ms in state APIVERSION_QUERY)"
    )
    record = logging.LogRecord("kafka", logging.WARNING, "", 1, "%s", (said,), None)
    assert type(sparingly)().filter(record)
    assert "0.10" not in record.getMessage() and "SSL listener?) (after" in record.getMessage()
    assert "0.10" not in plain(said)
