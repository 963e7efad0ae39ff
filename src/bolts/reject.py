"""Stores what was set aside before it could be decided, and publishes it as dead letters."""

from collections import Counter
from typing import Any, ClassVar

from bolts.base import METERS, BatchBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import Asides
from stormwatch.dead_letters import redaction
from stormwatch.dead_letters.rows import message, redacted
from stormwatch.ledger.bitmap import count
from stormwatch.metrics import REJECTED_CODE
from stormwatch.records import EndState, Fragment
from stormwatch.state.write_timestamps import outcome_stamp


class RejectBolt(BatchBolt):
    """The end of the streams `rejected` (parse) and `notices` (spout) of one domain, and of the
    figures (`meters`) of bolts that are not connected to the store.

    Guarantee: a fragment is acked after its rows and ledger row are confirmed by the store and its
    dead letters by Kafka. The store keeps one row an offset; Kafka may get one again on a replay.
    """

    payload = Asides
    writes = ("dead_letters", "ledger", "topic_dead_letters")
    domain: ClassVar[str]

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        super().initialize(conf, ctx)
        _ = self.connections  # connecting begins now, not with the first rejection

    def process(self, tup: Any) -> None:
        """A batch, or figures; of these a lost one is replaced by the next."""
        if tup.stream == METERS:
            component, instance, figures = tup.values
            self.connections.note(component, instance, figures.encode())
            self.ack(tup)
            return
        super().process(tup)

    def handle(self, fragment: Fragment, payload: Asides, tup: Any) -> None:
        connections, settings = self.connections, self.settings
        masked = redaction.names(settings.mask_fields)
        rows = [redacted(row, settings.record_max_bytes, masked) for row in payload.rows]
        # The store first: what it refuses to take is not sent to Kafka once more at every try.
        connections.store().write_aside(self.domain, rows, payload.ledger, outcome_stamp(fragment))
        if rows:
            sink = connections.sink()
            for row in rows:
                sink.send(settings.topic_dead_letters, row.key, message(fragment, row))
            sink.flush(settings.kafka_request_timeout_s)
        ends = Counter({state: count(bits) for state, bits in payload.ledger.bitmaps.items()})
        rejected = (row.code for row in payload.rows if row.state == EndState.REJECTED)
        ends.update(f"{REJECTED_CODE}{code}" for code in rejected)
        connections.metrics.batch(ends, 0, [], now_ms())


class RejectTransactions(RejectBolt):
    """What is not a transaction."""

    domain = "fraud"


class RejectReadings(RejectBolt):
    """What is not a reading."""

    domain = "maintenance"
