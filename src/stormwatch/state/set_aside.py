"""Rows of records that were set aside before they could be decided: kept, then told."""

from collections import Counter
from collections.abc import Callable

from stormwatch.codec import Asides
from stormwatch.dead_letters import redaction
from stormwatch.dead_letters.rows import message, redacted
from stormwatch.ledger.bitmap import count
from stormwatch.metrics import REJECTED_CODE
from stormwatch.ports import Sink, Store
from stormwatch.records import EndState, Fragment
from stormwatch.settings import Settings
from stormwatch.state.write_timestamps import outcome_stamp


def set_aside(
    settings: Settings, domain: str, fragment: Fragment, asides: Asides,
    store: Callable[[], Store], sink: Callable[[], Sink],
) -> Counter[str]:  # fmt: skip
    """Store a batch's rows with its ledger row, then publish them as dead letters; to count: how
    many records ended how, and were rejected for what.

    All of it is confirmed when this returns. Raises StoreUnavailable or BrokerUnavailable: then the
    same again is right.
    """
    masked = redaction.names(settings.mask_fields)
    rows = [redacted(row, settings.record_max_bytes, masked) for row in asides.rows]
    # The store first: what it refuses to take is not sent to Kafka once more at every try.
    store().write_aside(domain, rows, asides.ledger, outcome_stamp(fragment))
    if rows:
        told = sink()
        for row in rows:
            told.send(settings.topic_dead_letters, row.key, message(fragment, row))
        told.flush(settings.kafka_request_timeout_s)
    ends = Counter({state: count(bits) for state, bits in asides.ledger.bitmaps.items()})
    rejected = (row.code for row in asides.rows if row.state == EndState.REJECTED)
    ends.update(f"{REJECTED_CODE}{code}" for code in rejected)
    return ends
