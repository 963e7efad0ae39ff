"""What a bolt that stores decisions counts of them, once they are committed."""

from collections import Counter

import msgspec

from bolts.base import BatchBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.bitmap import count
from stormwatch.metrics import Labelled
from stormwatch.partitioner import stripe_of
from stormwatch.records import NOTES, Decision, DecisionKey, DecisionRow, Outcomes

_decode = msgspec.json.Decoder(Decision).decode
_LEARNED = b'"learned":'


class Observer:
    """Counts into the bolt's metrics and warns in its log; nothing that is decided depends on it.

    A batch that comes again after a crash is counted again.
    """

    def __init__(self, bolt: BatchBolt) -> None:
        self._bolt = bolt
        self._said: set[str] = set()

    def committed(self, outcomes: Outcomes) -> None:
        """End states, alerts, latencies, notes, drift, and what labels say of earlier decisions."""
        ends = Counter({state: count(bits) for state, bits in outcomes.ledger.bitmaps.items()})
        alerts = sum(row.alert for row in outcomes.decisions)
        self._bolt.connections.metrics.batch(
            ends, alerts, outcomes.timestamps, now_ms(), outcomes.degraded, outcomes.noted
        )
        for what in sorted(outcomes.noted.keys() & NOTES.keys() - self._said):
            self._bolt.logger.warning("counting from here on as %s: %s", what, NOTES[what])
            self._said.add(what)
        self._look_for_drift(outcomes.decisions)
        labels = [row for row in outcomes.decisions if _LEARNED in row.body]
        if labels:
            self._learn(outcomes.domain, labels)

    def _look_for_drift(self, rows: list[DecisionRow]) -> None:
        drift = self._bolt.drift
        found = drift.look([row.body for row in rows]) if drift else None
        if found is not None:
            self._bolt.connections.metrics.drift = dict(found.indices)
            if found.told:
                self._bolt.logger.warning("%s", found.told)

    def _learn(self, domain: str, labels: list[DecisionRow]) -> None:
        """Whether what is labelled had an alert, of the stored decisions."""
        stripes = self._bolt.settings.layout_stripes
        wanted: dict[tuple[str, str], bool] = {}
        keys = []
        for row in labels:
            learned = _decode(row.body).learned
            if learned is not msgspec.UNSET:
                wanted[row.entity, learned.id] = learned.positive
                stripe = stripe_of(row.entity, stripes)
                keys.append(DecisionKey(stripe, row.entity, learned.time, learned.id))
        labelled = self._bolt.connections.metrics.labelled
        try:
            stored = self._bolt.connections.store().find_decisions(domain, keys)
        except InfrastructureError:  # the labels themselves are stored: only this count lacks them
            labelled[Labelled.UNKNOWN] += len(wanted)
            return
        for row in stored:
            positive = wanted.pop((row.entity, row.id), None)
            if positive is not None:
                labelled[_became(positive, row.alert)] += 1
        labelled[Labelled.UNKNOWN] += len(wanted)


def _became(positive: bool, alerted: bool) -> Labelled:
    if positive:
        return Labelled.FOUND if alerted else Labelled.MISSED
    return Labelled.FALSE_ALERT if alerted else Labelled.PASSED
