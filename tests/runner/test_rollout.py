"""Rules and models changed while the fraud topology runs: in force, and nothing lost for it."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.operate.rollout import changing, compare, models, rules
from apps.operate.rollout.changing import Who
from apps.operate.rollout.versions import resolver
from apps.prove.chaos import oracle
from apps.prove.chaos.traffic import mixed
from apps.prove.verdict import degraded, judge, tables
from apps.prove.verdict.named import Named
from apps.prove.verdict.recorded import Stored
from stormwatch.adapters import connect
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.adapters.threads import follower
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.domains.fraud.parse import parse
from stormwatch.models.trees import TreesModel
from stormwatch.records import Decision
from stormwatch.rollout import watch
from stormwatch.rollout.arms import is_chosen
from stormwatch.rollout.changes import key_of
from stormwatch.runner.events import Died, Logged
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.settings import Settings
from stormwatch.state.recorded import AsRecorded
from tests.runner.drive import Stage, stage

RECORDS = 1_500
SETTINGS = Settings()
OTHER = "fraud-other"
WHO = Who("anna", "a test", 1_700_000_000_000)
ALL = """
[[rule]]
id = "every_payment"
when = "amount >= 0"
outcome = "review"
reason = "{amount} of anybody"
"""
_decode = msgspec.json.Decoder(Decision).decode


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Payments in the topic; changes are looked for without a pause."""
    monkeypatch.setattr(follower, "POLL_S", 0.01)
    with stage(monkeypatch) as made:
        for key, value in mixed(RECORDS):
            made.world.broker.append(made.settings.topic_transactions, key, value)
        yield made


def decided(made: Stage) -> list[Decision]:
    rows = made.world.store.all_decisions("fraud")
    return sorted((_decode(bytes(row.row.body)) for row in rows), key=lambda d: d.offset)


def said(made: Stage, words: str) -> list[str]:
    return [e.text for e in made.events if isinstance(e, Logged) and words in e.text]


def once_decided(
    made: Stage, count: int, act: Callable[[], None], words: str, tasks: int = 2
) -> Callable[[], bool]:
    """For `Stage.run`: act once so many are decided, then hold time until so many tasks say so.

    One that crashes before its tick says nothing, and has it from its next start on.
    """
    state = {"acted": 0.0}

    def until() -> bool:
        if not state["acted"] and len(made.world.store.tables.get("decisions", ())) >= count:
            state["acted"] = time.monotonic()
            act()
        if state["acted"] and len(said(made, words)) < tasks:
            assert time.monotonic() - state["acted"] < 20, "not taken up"
            time.sleep(0.01)
        return False

    return until


def run(made: Stage, until: Callable[[], bool], faults: Callable[[Plan], Faults]) -> None:
    account = made.run("fraud", made.settings.topic_transactions, faults, 1, until=until)
    assert account.sound and not account.in_flight
    assert sum(account.states.values()) == RECORDS


def prove(made: Stage) -> None:
    """What is stored is, byte for byte, what the core makes of the log by the versions named."""
    settings, store = made.settings, made.world.store
    found = tables.of_memory(store)
    degraded.take_fallen(found)
    own, stored = Fraud.load(), Stored("fraud", found)
    told = AsRecorded(Named(own, stored, resolver(settings, store, "fraud", own)), stored)
    believed = degraded.Partly(told, degraded.marked(found))
    source = MemorySource(
        made.world.broker, settings.topic_transactions, settings.kafka_group, settings.topic_control
    )
    expected = oracle.expected(settings, source, believed, parse)
    assert judge.differences(tables.of_memory(expected), found) == []


def push(made: Stage, text: str) -> None:
    change = rules.push(made.settings, made.world.store, text, "the test", WHO)
    changing.announce(made.settings, change)


@pytest.mark.parametrize("crash", [False, True])
def test_rules_pushed_under_way_decide_from_then_on_and_after_a_crash(
    staged: Stage, crash: bool
) -> None:
    planned = [Fault(Point.TUPLE, "decide", 14, Act.CRASH)] if crash else []
    act, words = partial(push, staged, ALL), "is in force from the next batch"
    until = once_decided(staged, 500, act, words, tasks=2 - crash)
    run(staged, until, lambda plan: Faults(planned))
    found = decided(staged)
    versions = {one.rules for one in found}
    (pushed,) = versions - {rules.read(SETTINGS, rules.fraud_rules.SHIPPED.read_text(), "").version}
    after = [one for one in found if one.rules == pushed]
    assert 300 < len(after) < len(found) - 400
    assert all(one.outcome in ("review", "decline") for one in after)
    assert crash is any(isinstance(event, Died) for event in staged.events)
    prove(staged)
    for partition in range(3):  # no batch by both, and none by the old ones after the new
        names = [one.rules for one in found if one.partition == partition]
        assert names == sorted(names, key=lambda name: name == pushed)


def test_what_cannot_be_used_is_refused_and_what_nobody_understands_set_aside(
    staged: Stage,
) -> None:
    store, settings = staged.world.store, staged.settings

    def act() -> None:
        change = rules.push(settings, store, ALL, "the test", WHO)
        store.artefacts[change.entries[0].sha256] = b"[[rule]]\n"  # lost on the way
        with closing(connect.source(settings, settings.topic_control)) as source:
            source.remember(key_of("fraud", "rules"), b"{not a change")
        changing.announce(settings, change)

    run(staged, once_decided(staged, 500, act, "is refused"), lambda plan: Faults())
    assert len({one.rules for one in decided(staged)}) == 1
    assert "other than it was (9 bytes) in Cassandra. Push it again" in said(staged, "refused")[0]
    letters = [one for one in store.asides("fraud") if one.topic == settings.topic_control]
    assert [(one.row.code, one.row.raw) for one in letters] == [
        ("control_unknown", b"{not a change")
    ]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The shipped model with another version, and thresholds at which nearly all is an alert."""
    folder = tmp_path / "other"
    shutil.copytree(SHIPPED, folder)
    card = json.loads((SHIPPED / "card.json").read_text())
    card |= {"version": OTHER, "thresholds": {"review": 1e-6, "decline": 0.9}}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def push_model(made: Stage, folder: Path, state: str, share: float = 0.0) -> None:
    change = models.push(
        made.settings, made.world.store, "fraud", folder, WHO, state, share, may_jump=True
    )
    changing.announce(made.settings, change)


def test_a_canary_decides_for_its_share_of_customers_and_for_no_others(
    staged: Stage, other: Path
) -> None:
    act = partial(push_model, staged, other, "canary", 0.4)
    run(staged, once_decided(staged, 400, act, "in force from the next"), lambda plan: Faults())
    prove(staged)
    found = [one for one in decided(staged) if one.outcome != "labelled"]
    by_other = [one for one in found if one.model == OTHER]
    assert len(by_other) > 200
    assert all(is_chosen(OTHER, one.entity, 0.4) for one in by_other)
    seen: dict[int, bool] = {}  # by partition: no live decision of a chosen one after the switch
    for one in found:
        if one.model == OTHER:
            seen[one.partition] = True
        elif seen.get(one.partition):
            assert not is_chosen(OTHER, one.entity, 0.4)


def test_a_shadows_scores_are_stored_and_not_acted_on(staged: Stage, other: Path) -> None:
    act = partial(push_model, staged, other, "shadow")
    run(staged, once_decided(staged, 400, act, "in force from the next"), lambda plan: Faults())
    prove(staged)
    found = decided(staged)
    assert {one.model for one in found} <= {Fraud.load().model_version, "none"}
    noted = [one for one in found if one.shadow]
    assert len(noted) > 400
    for one in noted:
        ((model, rules_, outcome, score),) = [msgspec.structs.astuple(s) for s in one.shadow]
        assert (model, rules_, score) == (OTHER, one.rules, one.score)
        assert outcome != "approve" or one.outcome == "approve"
    assert any(one.shadow[0].outcome != one.outcome for one in noted)
    store = staged.world.store
    bodies = [bytes(row.row.body) for row in store.all_decisions("fraud")]
    made = compare.compare(bodies, Fraud.load().model_version, OTHER, Fraud.alert_outcomes)
    assert made.same_events and made.score_difference == 0
    assert made.both == sum(one.outcome != "approve" for one in noted)
    assert made.other.alerts == sum(one.shadow[0].outcome != "approve" for one in noted)


def test_a_model_that_raises_is_taken_back_by_the_tasks_themselves(
    staged: Stage, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, store = TreesModel.predict, staged.world.store

    def predict(self: TreesModel, rows: Any) -> list[float]:
        if self.card.version == OTHER and any(map(any, rows)):  # not as it is loaded
            raise ValueError("it fails on real payments")
        return plain(self, rows)

    monkeypatch.setattr(TreesModel, "predict", predict)
    monkeypatch.setattr(watch, "LEAST", 40)
    act = partial(push_model, staged, other, "live")
    run(
        staged,
        once_decided(staged, 400, act, "revision 2 (what the settings name"),
        lambda plan: Faults(),
    )
    first, second = store.changes("fraud", "model", 9)[::-1]
    assert (second.act, second.entries, second.author) == ("rollback", (), "fraud/decide")
    assert second.reason.startswith(f"{OTHER}: it had no score for ")
    assert first.entries[0].state == "live"
    prove(staged)
    last = decided(staged)[-200:]
    assert {one.model for one in last} == {Fraud.load().model_version}


def test_a_cap_that_is_pushed_holds_for_each_customer_whatever_fails(staged: Stage) -> None:
    capped = ALL.replace('outcome = "review"', 'outcome = "review"\ncap_1h = 1\ncap_1d = 3')
    act = partial(push, staged, capped)
    faults = [Fault(Point.TUPLE, "decide", n, Act.CRASH) for n in (14, 22)]
    run(
        staged,
        once_decided(staged, 400, act, "in force from the next", tasks=1),
        lambda plan: Faults(faults),
    )
    prove(staged)
    version = rules.read(SETTINGS, capped, "").version
    found = [one for one in decided(staged) if one.rules == version and one.outcome != "labelled"]
    codes = [(one, [why.code for why in one.reasons]) for one in found]
    acted = [one for one, why in codes if "every_payment" in why]
    held = [one for one, why in codes if "capped:every_payment" in why]
    assert len(acted) > 50 and len(held) > 50
    assert len(acted) + len(held) == len(found)
    hours = Counter((one.entity, one.time // 3_600_000) for one in acted)
    days = Counter((one.entity, one.time // 86_400_000) for one in acted)
    assert max(hours.values()) == 1 and max(days.values()) == 3
    assert any(one.outcome == "approve" for one in held)
