"""What a follower of changes has to say, said by the bolt's own thread at its tick."""

from contextlib import suppress
from typing import Any

from stormwatch.adapters.storm.resources import Connections
from stormwatch.adapters.threads.follower import Follower, Misread
from stormwatch.dead_letters.rows import message, redacted
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import EndState, Fragment, LedgerRow, SetAside

CODE = "control_unknown"


def tell(follower: Follower[Any], connections: Connections, logger: Any, component: str) -> None:
    """Its sentences to the log, figures to the metrics, misread records to the dead letters."""
    for sentence in follower.told():
        logger.warning("%s", sentence)
    connections.metrics.revisions = dict(follower.revisions)
    connections.metrics.follows = follower.name
    connections.metrics.refused = follower.refused
    for misread in follower.misread():
        with suppress(InfrastructureError):  # another task of the domain tells it, too
            _set_aside(follower.name, connections, misread, component)


def _set_aside(domain: str, connections: Connections, misread: Misread, component: str) -> None:
    record, settings = misread.record, connections.settings
    place = Fragment(settings.topic_control, 0, 0, record.offset, record.offset, 0, 0)
    row = redacted(
        SetAside(
            record.offset, record.timestamp, EndState.REJECTED, CODE, misread.why, component,
            record.key, record.value,
        ),
        settings.record_max_bytes,
    )  # fmt: skip
    bits: dict[str, bytes] = {EndState.REJECTED: bitmap_of([record.offset], record.offset)}
    # The same row, whichever task writes it and how often.
    connections.store().write_aside(domain, [row], LedgerRow(place, "control", bits, 0), 1)
    sink = connections.sink()
    sink.send(settings.topic_dead_letters, row.key, message(place, row))
    sink.flush(settings.kafka_request_timeout_s)
