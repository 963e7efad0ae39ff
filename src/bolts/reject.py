"""Stores what was set aside before it could be decided, and publishes it as dead letters."""

from typing import Any, ClassVar

from bolts.base import METERS, BatchBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import Asides
from stormwatch.records import Fragment
from stormwatch.state.set_aside import set_aside


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
        own = self.connections
        ends = set_aside(self.settings, self.domain, fragment, payload, own.store, own.sink)
        own.metrics.batch(ends, 0, [], now_ms())


class RejectTransactions(RejectBolt):
    """What is not a transaction."""

    domain = "fraud"


class RejectReadings(RejectBolt):
    """What is not a reading."""

    domain = "maintenance"
