"""The real fraud topology in the runner, in simulated time, with Kafka and the store in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from apps.prove.chaos import oracle
from apps.prove.verdict import judge, recorded, tables
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.adapters.memory.store import Fault as StoreFault
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.runner.events import Event
from stormwatch.runner.faults import Faults
from stormwatch.runner.plan import Plan
from stormwatch.state.recorded import AsRecorded
from tests.runner.drive import stage


@dataclass
class Ran:
    """How a run ended."""

    differences: list[str]
    ledger: TopicLedger
    events: list[Event]
    happened: list[str]
    seconds: float
    decided: dict[str, str] = field(default_factory=dict)  # id -> outcome


def run(
    monkeypatch: pytest.MonkeyPatch,
    records: Iterable[tuple[bytes, bytes | None]],
    faults: Callable[[Plan], Faults],
    *,
    seed: int = 1,
    together: bool = False,
    store_faults: Iterable[StoreFault] = (),
) -> Ran:
    """Until every record is committed; then compared with the pure core over the same log."""
    with stage(monkeypatch) as made:
        topic = made.settings.topic_transactions
        for key, value in records:
            made.world.broker.append(topic, key, value)
        account = made.run(
            "fraud", topic, faults, seed, store_faults=store_faults, together=together
        )
        source = MemorySource(
            made.world.broker, topic, made.settings.kafka_group, made.settings.topic_control
        )
        found = tables.of_memory(made.world.store)
        told = AsRecorded(Fraud.load(), recorded.Stored(Fraud.name, found))
        expected = oracle.expected(made.settings, source, told, parse)
        return Ran(
            judge.differences(tables.of_memory(expected), found), account, made.events,
            made.happened, made.seconds,
        )  # fmt: skip
