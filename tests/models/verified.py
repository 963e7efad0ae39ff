"""A topic of transactions that was decided, its tables and its ledger."""

import msgspec

from apps.operate.ledger_verify import verify
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.ledger.reconcile import START
from stormwatch.ports import Committed
from stormwatch.records import DecisionRow, Fragment, LedgerRow, Outcomes, SetAside
from stormwatch.settings import Settings
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.stretches import Stretch

SETTINGS = Settings()

TOPIC = SETTINGS.topic_transactions


class World:
    """A topic whose offsets 0 to 39 are decided: every tenth rejected, 5 a duplicate."""

    def __init__(self) -> None:
        self.broker, self.store = MemoryBroker(), MemoryStore()
        self.admin = MemoryAdmin(self.broker)
        self.admin.ensure_topic(TOPIC, 1, {})
        for _ in range(60):
            self.broker.append(TOPIC, None, b"{}", partition=0)
        of = Fragment(TOPIC, 0, 4, 0, -1, 1, 0)
        self.store.write_aside("fraud", [], LedgerRow(of, START, {}, 0), 1)
        log = self.admin.describe(TOPIC).topic_id
        self.store.write_stretches(log, [Stretch(0, 0, 0, 0, 0)])
        rejected = [o for o in range(40) if o % 10 == 0]
        self.write(0, 39, scored=[o for o in range(40) if o % 10 and o != 5], duplicate=[5])
        rows = [SetAside(o, 9, "rejected", "empty", "", "parse", None, b"") for o in rejected]
        bits = {"rejected": bitmap_of(rejected, 0)}
        of = Fragment(TOPIC, 0, 4, 0, 39, 1, 0)
        self.store.write_aside("fraud", rows, LedgerRow(of, "reject", bits, 0), 1)
        source = MemorySource(self.broker, TOPIC, SETTINGS.kafka_group)
        source.commit({0: Committed(40, "")}, wait=True)

    def write(self, first: int, last: int, **ends: list[int]) -> None:
        of = Fragment(TOPIC, 0, 4, first, last, 1, 0)
        bits = {state: bitmap_of(offsets, first) for state, offsets in ends.items()}
        rows = [self.decision(o) for o in ends.get("scored", [])]
        row = LedgerRow(of, "score", bits, 0)
        self.store.write_outcomes(
            Outcomes(of, "fraud", outcome_stamp(of), rows, [], [], row, [], [])
        )

    def decision(self, offset: int, name: str = "") -> DecisionRow:
        body = {"topic": TOPIC, "partition": 0, "offset": offset, "score": 1}
        told = msgspec.json.encode(body)
        return DecisionRow(0, "e", 1, name or f"t{offset}", "approve", 0.1, told, 9, False)

    def verify(self) -> list[tuple[str, int, int]]:
        found = verify(SETTINGS, self.admin, self.store, "fraud", TOPIC)
        assert found.offsets == 40 and found.sound is not bool(found.disagreements)
        return [(d.what, d.offsets, d.first[0].first) for d in found.disagreements]
