"""What people do to a running topology: other rules and another model, offsets set back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from apps.prove.chaos import oracle, versions
from apps.prove.chaos.traffic import mixed
from apps.prove.verdict import judge, tables
from apps.prove.verdict.recorded import Stored
from apps.prove.verdict.tables import Tables
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.adapters.memory.store import Fault as StoreFault
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.ports import Committed
from stormwatch.runner.faults import Faults
from stormwatch.state.recorded import AsRecorded
from tests.runner.drive import Stage, stage

RECORDS = 1_200
BATCH = 40


@contextmanager
def staged() -> Iterator[tuple[Stage, MemorySource]]:
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        chosen, broker = made.settings, made.world.broker
        for key, value in mixed(RECORDS):
            broker.append(chosen.topic_transactions, key, value)
        yield (
            made,
            MemorySource(
                broker, chosen.topic_transactions, chosen.kafka_group, chosen.topic_control
            ),
        )


def go(made: Stage, seed: int, rows: int = 0, share: float = 1.0) -> None:
    """Until that share of the records is committed: then of a batch's outcomes some rows are
    written, and the run ends before it is tried again."""
    store, topic = made.world.store, made.settings.topic_transactions
    admin = MemoryAdmin(made.world.broker)
    timed_out = False

    def over() -> bool:
        nonlocal timed_out
        done = sum(
            each.offset for each in admin.committed(made.settings.kafka_group, topic).values()
        )
        if not timed_out and done >= share * RECORDS:
            timed_out = True
            store.faults.append(StoreFault(rows, "write_outcomes"))
        return timed_out and not store.faults

    made.run("fraud", topic, lambda plan: Faults(), seed, until=over)
    store.faults.clear()


def expected(made: Stage, source: MemorySource, domain: Fraud, found: Tables) -> Tables:
    told = AsRecorded(domain, Stored(Fraud.name, found))
    return tables.of_memory(oracle.expected(made.settings, source, told, parse))


@pytest.mark.parametrize(("seed", "rows"), [(1, 0), (2, 7), (3, 15), (4, 40), (5, 60)])
def test_each_decision_is_what_its_version_decides(seed: int, rows: int, tmp_path: Path) -> None:
    first, second = Fraud.load(), versions.other(tmp_path)
    with staged() as (made, source):
        go(made, seed, rows, 0.3)
        made.settings = replace(
            made.settings,
            fraud_rules=str(tmp_path / versions.RULES),
            fraud_model=str(tmp_path / versions.MODEL),
        )
        go(made, seed + 1, rows, 0.6)
        made.settings = replace(made.settings, fraud_rules="", fraud_model="")
        go(made, seed + 2)
        found = tables.of_memory(made.world.store)
        shown = made.world.store.alerts(Fraud.name, RECORDS)
        late = versions.of_second(first, second, found, BATCH)
        versions.without_fallen(found)
        want = versions.woven(
            *(expected(made, source, each, found) for each in (first, second)), late
        )
    assert judge.differences(want, found) == []
    assert 0 < len(late) < len(found.decisions)
    assert {(row.entity, row.id) for row in shown} == {key[4:6] for key in want.alerts}


@pytest.mark.parametrize("seed", range(3))
def test_offsets_that_are_set_back_change_nothing(seed: int) -> None:
    with staged() as (made, source):
        go(made, seed, 20, 0.5)
        source.commit({p: Committed(0, "") for p in range(3)}, wait=True)
        go(made, seed + 1)
        found = tables.of_memory(made.world.store)
        assert judge.differences(expected(made, source, Fraud.load(), found), found) == []
