"""What a bolt that stores decisions counts of them, once they are committed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec

from bolts.base import BatchBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.bitmap import count
from stormwatch.metrics import Labelled
from stormwatch.models.by_labels import ByLabels
from stormwatch.partitioner import stripe_of
from stormwatch.records import NOTES, Decision, DecisionKey, DecisionRow, Outcomes
from stormwatch.state.skew import Found

_decode = msgspec.json.Decoder(Decision).decode
_LEARNED = b'"learned":'
SHOWN = 5
"""Labels named in a warning."""


class Observer:
    """Counts into the bolt's metrics and warns in its log; nothing that is decided depends on it.

    A batch that comes again after a crash is counted again.
    """

    def __init__(self, bolt: BatchBolt) -> None:
        self._bolt = bolt
        self._said: set[str] = set()

    @cached_property
    def _by_labels(self) -> ByLabels:
        counts = self._bolt.connections.metrics.labelled
        return ByLabels(counts, self._bolt.settings.lateness_s * 1000)

    def committed(self, outcomes: Outcomes) -> None:
        """End states, alerts, latencies, notes, drift, and what labels say of earlier decisions."""
        ends = Counter({state: count(bits) for state, bits in outcomes.ledger.bitmaps.items()})
        alerts = sum(row.alert for row in outcomes.decisions)
        self._bolt.connections.metrics.batch(
            ends,
            alerts,
            outcomes.timestamps,
            now_ms(),
            outcomes.degraded,
            outcomes.noted,
            outcomes.fired,
        )
        for what in sorted(outcomes.noted.keys() & NOTES.keys() - self._said):
            self._bolt.logger.warning("counting from here on as %s: %s", what, NOTES[what])
            self._said.add(what)
        self._look_for_drift(outcomes.decisions)
        self._look_at_labels(outcomes.domain, outcomes.decisions)

    def _look_at_labels(self, domain: str, rows: list[DecisionRow]) -> None:
        self._tell_unknown(self._by_labels.decided(rows))
        labels = [row for row in rows if _LEARNED in row.body]
        if labels:
            self._learn(domain, labels)
        raise_alarms(self._bolt, self._by_labels.alarms, ("precision", "recall"))

    def _look_for_drift(self, rows: list[DecisionRow]) -> None:
        drift = self._bolt.drift
        found = drift.look([row.body for row in rows]) if drift else None
        if found is not None:
            self._bolt.connections.metrics.drift = dict(found.indices)
            raise_alarms(self._bolt, {"drift": found.told}, ("drift",))

    def _learn(self, domain: str, labels: list[DecisionRow]) -> None:
        """Whether what is labelled had an alert, of the stored decisions."""
        stripes = self._bolt.settings.layout_stripes
        wanted: dict[tuple[str, str], tuple[bool, int]] = {}
        keys = []
        for row in labels:
            learned = _decode(row.body).learned
            if learned is not msgspec.UNSET:
                wanted[row.entity, learned.id] = learned.positive, row.time
                stripe = stripe_of(row.entity, stripes)
                keys.append(DecisionKey(stripe, row.entity, learned.time, learned.id))
        try:
            stored = self._bolt.connections.store().find_decisions(domain, keys)
        except InfrastructureError:  # the labels themselves are stored: only this count lacks them
            self._bolt.connections.metrics.labelled[Labelled.UNKNOWN] += len(wanted)
            return
        for row in stored:
            found = wanted.pop((row.entity, row.id), None)
            if found is not None:
                self._by_labels.answer(found[0], row.alert)
        for key, (positive, arrival) in wanted.items():
            self._tell_unknown(self._by_labels.wait(key, positive, arrival))

    def _tell_unknown(self, keys: Sequence[tuple[str, str]]) -> None:
        """The labels whose event never came."""
        if keys:
            some = ", ".join(f"{event} of {entity}" for entity, event in keys[:SHOWN])
            more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
            self._bolt.logger.warning(
                "labels came of what was never decided: %s%s. They are learned, and count for no "
                "alert found or missed; compare their ids with those of the events",
                some, more,
            )  # fmt: skip


def tell_of_skew(bolt: BatchBolt, found: Found) -> None:
    """What a probe of skew found (`stormwatch.state.skew`)."""
    metrics = bolt.connections.metrics
    metrics.skew = {"compared": found.compared, "differing": found.differing}
    raise_alarms(bolt, {"skew": found.told}, ("skew",))


def raise_alarms(bolt: BatchBolt, alarms: Mapping[str, str], of: Sequence[str]) -> None:
    """The alarms of these kinds are those now; one that is new is logged."""
    now = bolt.connections.metrics.alarms
    for what in of:
        told = alarms.get(what, "")
        if told and what not in now:
            bolt.logger.warning("%s", told)
        if told:
            now[what] = told
        else:
            now.pop(what, None)
