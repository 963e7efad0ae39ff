"""Rules and models changed while the fraud topology runs: in force, and nothing lost for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec
import pytest

from apps.operate.rollout import changing, rules
from apps.operate.rollout.changing import Who
from apps.prove.chaos.traffic import mixed
from stormwatch.adapters import connect
from stormwatch.adapters.threads import follower
from stormwatch.records import Decision
from stormwatch.rollout.changes import key_of
from stormwatch.runner.events import Died, Logged
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from tests.runner.drive import Stage, stage

RECORDS = 1_500
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
    made: Stage, count: int, act: Callable[[], None], words: str
) -> Callable[[], bool]:
    """For `Stage.run`: act once so many are decided, then hold time until both tasks say so."""
    state = {"acted": 0.0}

    def until() -> bool:
        if not state["acted"] and len(made.world.store.tables.get("decisions", ())) >= count:
            state["acted"] = time.monotonic()
            act()
        if state["acted"] and len(said(made, words)) < 2:
            assert time.monotonic() - state["acted"] < 20, "not taken up"
            time.sleep(0.01)
        return False

    return until


def run(made: Stage, until: Callable[[], bool], faults: Callable[[Plan], Faults]) -> None:
    account = made.run("fraud", made.settings.topic_transactions, faults, 1, until=until)
    assert account.sound and not account.in_flight
    assert sum(account.states.values()) == RECORDS


def push(made: Stage, text: str) -> None:
    change = rules.push(made.settings, made.world.store, text, "the test", WHO)
    changing.announce(made.settings, change)


@pytest.mark.parametrize("crash", [False, True])
def test_rules_pushed_under_way_decide_from_then_on_and_after_a_crash(
    staged: Stage, crash: bool
) -> None:
    planned = [Fault(Point.TUPLE, "decide", 14, Act.CRASH)] if crash else []
    until = once_decided(staged, 500, lambda: push(staged, ALL), "is in force from the next batch")
    run(staged, until, lambda plan: Faults(planned))
    found = decided(staged)
    versions = {one.rules for one in found}
    (pushed,) = versions - {rules.read(rules.fraud_rules.SHIPPED.read_text(), "").version}
    after = [one for one in found if one.rules == pushed]
    assert 300 < len(after) < len(found) - 400
    assert all(one.outcome in ("review", "decline") for one in after)
    assert crash is any(isinstance(event, Died) for event in staged.events)
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
