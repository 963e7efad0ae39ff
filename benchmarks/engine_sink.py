"""For the engine's own figure: states stay in the process, decisions go to Kafka, no Cassandra."""

from stormwatch.ports import Sink
from stormwatch.records import Fragment, Outcomes
from stormwatch.steps import Fate

TOPIC = "bench-decisions"


class DecisionsToKafka:
    """Takes StoreStep's place: every decision is one Kafka record, confirmed before the ack."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def work(self, fragment: Fragment, outcomes: Outcomes) -> None:
        for row in outcomes.decisions:
            self._sink.send(TOPIC, row.entity.encode(), bytes(row.body))
        self._sink.flush(10.0)

    def settle(self, fragment: Fragment, fate: Fate) -> None:
        """Nothing is kept here."""
