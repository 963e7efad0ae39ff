"""The fraud topology in the runner while its model hangs, or its file is cut off under it."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from apps.prove.chaos import oracle
from apps.prove.chaos.traffic import mixed
from apps.prove.verdict import degraded, judge, tables
from apps.prove.verdict.recorded import Stored
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.adapters.memory.store import Fault as StoreFault
from stormwatch.adapters.threads.deadline import Helper, Late
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud import domain as fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.models import Model, load
from stormwatch.models.trees import TreesModel
from stormwatch.records import Decision
from stormwatch.runner.events import Died, Logged
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.state.recorded import AsRecorded
from tests.runner.drive import Stage, stage, store_faults

RECORDS = 1_500
_decode = msgspec.json.Decoder(Decision).decode


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    """Records in the topic, a model folder of its own, patience of 0.2 s."""
    shutil.copytree(fraud.SHIPPED, tmp_path / "model")
    monkeypatch.setenv("STORMWATCH_FRAUD_MODEL", str(tmp_path / "model"))
    monkeypatch.setenv("STORMWATCH_MODEL_DEADLINE_S", "0.2")
    monkeypatch.setenv("STORMWATCH_MODEL_PROBE_S", "0.1")
    monkeypatch.setenv("STORMWATCH_MODEL_UNUSABLE", "rules")
    with stage(monkeypatch) as made:
        for key, value in mixed(RECORDS):
            made.world.broker.append(made.settings.topic_transactions, key, value)
        yield made


def run(
    made: Stage, faults: Callable[[Plan], Faults], store_faults: Iterable[StoreFault] = ()
) -> list[bool]:
    """Until all is committed. Of each decision in the log's order: was it made by rules alone?

    Every one is, byte for byte, what the model or else the rules alone decide.
    """
    settings, broker = made.settings, made.world.broker
    topic = settings.topic_transactions
    account = made.run("fraud", topic, faults, 1, store_faults=store_faults)
    assert account.sound and not account.in_flight
    assert sum(account.states.values()) == RECORDS
    found = tables.of_memory(made.world.store)
    degraded.take_fallen(found)
    told = AsRecorded(Fraud.load(), Stored(Fraud.name, found))
    believed = degraded.Partly(told, degraded.marked(found))
    source = MemorySource(broker, topic, settings.kafka_group, settings.topic_control)
    expected = oracle.expected(settings, source, believed, parse)
    assert judge.differences(tables.of_memory(expected), found) == []
    decisions = [_decode(cells[2]) for cells in found.decisions.values()]
    decisions.sort(key=lambda decision: (decision.partition, decision.offset))
    return [decision.degraded is True for decision in decisions]


def said(made: Stage, words: str) -> list[str]:
    return [e.text for e in made.events if isinstance(e, Logged) and words in e.text]


def test_while_the_model_hangs_rules_alone_decide_in_time(
    staged: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, plain = Counter[str](), TreesModel.predict

    def predict(self: TreesModel, rows: Any) -> list[float]:
        calls["all"] += 1
        while calls["all"] >= 8 and len(staged.world.store.tables.get("decisions", ())) < 700:
            time.sleep(0.002)
        return plain(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(TreesModel, "predict", predict)
        alone = run(staged, lambda plan: Faults())
    assert 300 < sum(alone) < len(alone) - 100, "some before, some after"
    assert not any(isinstance(event, Died) for event in staged.events)
    late = said(staged, "The model has no scores for 40 records after 0.2 s")
    assert 1 <= len(late) <= 4 and "marked degraded" in late[0]
    assert said(staged, "The model works again")


def test_a_model_cut_off_under_way_is_not_noticed_until_a_bolt_has_to_read_it_again(
    staged: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact = Path(staged.settings.fraud_model) / "trees.msgpack"
    whole, loads = artefact.read_bytes(), Counter[str]()

    def scripted(*arguments: Any, **options: Any) -> Model:
        loads["all"] += 1
        if loads["all"] == 6:
            artefact.write_bytes(whole)
        try:
            return load(*arguments, **options)
        finally:
            if loads["all"] == 2:  # both bolts have it
                artefact.write_bytes(whole[:-100])

    with monkeypatch.context() as patch:
        patch.setattr(fraud, "load", scripted)
        alone = run(staged, lambda plan: Faults([Fault(Point.TUPLE, "decide", 9, Act.CRASH)]))
    assert 0 < sum(alone) < len(alone)
    assert not any(alone[:20]), "the old one was kept until then"
    told = said(staged, "The model cannot be used: ")
    assert f"{artefact} (" in told[0] and "truncated or changed. Restore both files" in told[0]
    assert said(staged, "The model works again")
    (died,) = (event for event in staged.events if isinstance(event, Died))
    assert died.component == "decide"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_model_late_now_and_then_among_any_other_faults(
    staged: Stage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Tries at one batch decide differently: one of the decisions stands, whole, and its alert."""
    random = Random(seed)

    def call(self: Helper, function: Callable[[], Any], limit_s: float) -> Any:
        if random.random() < 0.3:
            raise Late
        return function()

    failing = store_faults(random.choices([-1, 0, 3, 17, 44, 60], k=8))
    with monkeypatch.context() as patch:
        patch.setattr(Helper, "call", call)
        alone = run(staged, lambda plan: Faults.seeded(seed, plan, 8, within=40), failing)
    assert 50 < sum(alone) < len(alone) - 50
