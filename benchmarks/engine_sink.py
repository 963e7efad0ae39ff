"""For the engine's own figure: states stay in the process, decisions go to Kafka, no Cassandra."""

from collections.abc import Sequence

from stormwatch.ports import Sink
from stormwatch.records import Fragment, Outcomes
from stormwatch.state.step import Outcome, Step

TOPIC = "bench-decisions"


class DecisionsToKafka(Step):
    """Takes StoreStep's place: every decision is one Kafka record, confirmed before the ack."""

    commits = True

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def work_all(self, batches: Sequence[tuple[Fragment, Outcomes]]) -> list[None]:
        for _, outcomes in batches:
            for row in outcomes.decisions:
                self._sink.send(TOPIC, row.entity.encode(), bytes(row.body))
        self._sink.flush(10.0)
        return [None] * len(batches)

    def finish(self, fragment: Fragment, outcome: Outcome) -> None:
        """Nothing is kept here."""
