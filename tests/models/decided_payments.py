"""A topic of payments that was decided, in memory: what the page and the API are asked about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from stormwatch.adapters.connect import Doubles
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.ledger.reconcile import START
from stormwatch.metrics import Metrics
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Committed
from stormwatch.records import (
    Decision,
    DecisionRow,
    Fragment,
    LedgerRow,
    Outcomes,
    Reason,
    SetAside,
    StateRow,
)
from stormwatch.settings import Settings
from stormwatch.state.envelope import Envelope
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.stretches import Stretch

SETTINGS = Settings()
TOPIC = SETTINGS.topic_transactions
T0 = 1_262_304_000_000
CUSTOMERS = ("C1", "C/2", "<img src=x onerror=alert(1)>")
CARD = "4111111111111111"


class Decided:
    """30 payments of three customers, every third an alert; offset 30 is rejected."""

    def __init__(self, store: Any = None) -> None:
        """`store`: an empty one; without, one in memory."""
        self.broker, self.store = MemoryBroker(), store or MemoryStore()
        self.admin = MemoryAdmin(self.broker)
        self.admin.ensure_topic(TOPIC, 1, {})
        rows = [self._payment(i) for i in range(30)]
        self.broker.append(TOPIC, None, b'{"note": "%s"}' % CARD.encode(), partition=0)
        info = self.admin.describe(TOPIC)
        assert info is not None
        self.store.write_stretches(info.topic_id, [Stretch(0, 0, 0, 0, 0)])
        began = Fragment(TOPIC, 0, 4, 0, -1, 1, 0)
        self.store.write_aside("fraud", [], LedgerRow(began, START, {}, 0), 1)
        of = Fragment(TOPIC, 0, 4, 0, 30, 1, 0)
        ledger = LedgerRow(of, "score:ab.1", {"scored": bitmap_of(range(30), 0)}, 12)
        states = [
            StateRow(stripe_of(name, SETTINGS.layout_stripes), name, _state(newest), 1)
            for name, newest in zip(CUSTOMERS, (T0 + 27_000, T0 + 28_000, T0 + 29_000), strict=True)
        ]
        self.store.write_outcomes(
            Outcomes(of, "fraud", outcome_stamp(of), rows, states, [], ledger, [], [])
        )
        self.store.write_states("fraud", states)
        bad = SetAside(30, T0, "rejected", "missing_field", "id is missing", "parse", None,
                       b'{"note": "%s"}' % CARD.encode())  # fmt: skip
        bits = {"rejected": bitmap_of([30], 0)}
        self.store.write_aside("fraud", [bad], LedgerRow(of, "reject", bits, 0), 1)
        MemorySource(self.broker, TOPIC, SETTINGS.kafka_group).commit(
            {0: Committed(31, "")}, wait=True
        )

    def _payment(self, i: int) -> DecisionRow:
        customer, alert = CUSTOMERS[i % 3], i % 9 == 0
        value = msgspec.json.encode({
            "id": f"t{i}", "customer": customer, "amount": 1_000 + i, "currency": "EUR",
            "merchant": "Kiosk", "note": "" if alert else CARD, "terminal": "T1",
            "time": datetime.fromtimestamp(T0 / 1000 + i, UTC).isoformat(),
        })  # fmt: skip
        self.broker.append(TOPIC, None, value, partition=0)
        return self._row(i, customer, alert)

    def _row(self, i: int, customer: str, alert: bool) -> DecisionRow:
        reasons = (Reason("a", "small", 0.1), Reason("b", "at night", -2.0)) if alert else ()
        decision = Decision(
            f"t{i}", customer, T0 + i * 1000, "decline" if alert else "approve",
            min(i / 30, 1.0), reasons,
            (float(i),) * 22, "fraud-1", "m1", "r1", TOPIC, 0, i, T0 + 500 + i * 1000,
        )  # fmt: skip
        return DecisionRow(
            stripe_of(customer, SETTINGS.layout_stripes), customer, decision.time, decision.id,
            decision.outcome, decision.score, msgspec.json.encode(decision), decision.timestamp,
            alert,
        )  # fmt: skip

    def alerts_of(self, names: Sequence[str]) -> None:
        """One alert of each of these customers, by no record of the topic."""
        rows = [self._row(100 + i, name, True) for i, name in enumerate(names)]
        of = Fragment(TOPIC, 0, 4, 100, 100 + len(rows), 1, 0)
        ledger = LedgerRow(of, "score:ef.1", {}, 1)
        states = [StateRow(row.stripe, row.entity, _state(row.time), 1) for row in rows]
        self.store.write_outcomes(
            Outcomes(of, "fraud", outcome_stamp(of), rows, states, [], ledger, [], [])
        )
        self.store.write_states("fraud", states)

    def meter(self, at: int, decided: int, batches: int = 1, cpu: int = 0, **spent: int) -> None:
        """What a bolt writes of itself. `cpu`, `spent`: microseconds; these by stage."""
        metrics = Metrics()
        metrics.batch({"scored": decided}, 1, [at - 20] * decided, at)
        metrics.batches = batches
        metrics.spent.update({stage: us * 1_000 for stage, us in spent.items()})
        body = msgspec.json.encode(metrics.snapshot(at, 1, "h", 3, cpu=cpu))
        self.store.write_meter("fraud", "decide", "0", body)

    def doubles(self) -> Doubles:
        """What takes the place of Kafka and the store."""
        return Doubles(
            lambda settings, topic: MemorySource(self.broker, topic, settings.kafka_group),
            lambda: MemorySink(self.broker), lambda: self.admin, lambda: self.store,
        )  # fmt: skip


def _state(newest: int) -> bytes:
    return msgspec.msgpack.encode(Envelope(1, 1, [(0, 4, 29)], newest, b"", []))
