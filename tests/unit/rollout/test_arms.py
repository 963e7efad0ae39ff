"""Versions beside the live one: who decides what, and when one is taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from stormwatch.records import Learned, Shadow
from stormwatch.rollout import watch
from stormwatch.rollout.arms import Arm, Rolled, is_chosen
from stormwatch.rollout.changes import Entry
from stormwatch.rollout.watch import Scores, harm, stability
from stormwatch.state.judge import Verdict


@dataclass
class Event:
    entity: str
    label: bool = False


@dataclass
class Judge:
    """Gives a score of its own; raises, or has none, of the entities named."""

    model_version: str
    score: float = 0.5
    raises: bool = False
    silent: set[str] = field(default_factory=set)
    feature_set: str = "f"
    rules_version: str = "r"

    def decide(self, events: Sequence[Any], features: Any, carries: Any) -> list[Verdict]:
        if self.raises:
            raise ValueError("it fails")
        return [
            Verdict("labelled", -1.0, by=("l", "none", "r"), learned=Learned("x", 1, True))
            if event.label else Verdict("approve", -1.0, degraded=True)
            if event.entity in self.silent else Verdict("review", self.score)
            for event in events
        ]  # fmt: skip


def arm(judge: Judge, state: str, share: float = 0.0, may_jump: bool = False) -> Arm:
    entry = Entry(judge.model_version, "0" * 64, state, share, may_jump)  # type: ignore[arg-type]
    return Arm("model", entry, judge, Scores())


def decided(rolled: Rolled, events: Sequence[Event]) -> list[Verdict]:
    return rolled.decide(events, [()] * len(events), [None] * len(events))


EVENTS = [Event(f"c-{n}") for n in range(2_000)]


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_a_canary_has_its_share_and_keeps_its_entities_as_it_grows(share: float) -> None:
    rolled = Rolled(Judge("old"), [arm(Judge("new"), "canary", share)])  # type: ignore[arg-type]
    by = [v.by for v in decided(rolled, EVENTS)]
    chosen = [made is not None for made in by]
    assert {made for made in by if made} == {("f", "new", "r")}
    assert abs(sum(chosen) / len(chosen) - share) < 0.03
    more = [is_chosen("new", event.entity, 2 * share) for event in EVENTS]
    assert all(later for now, later in zip(chosen, more, strict=True) if now)
    assert [v.by for v in decided(rolled, EVENTS[::-1])] == by[::-1], "whatever the batch"


def test_a_shadow_is_noted_and_never_acted_on_nor_asked_of_labels() -> None:
    events = [Event("a"), Event("b", label=True), Event("c")]
    new = Judge("new", 0.9, silent={"c"})
    first, label, last = decided(Rolled(Judge("old"), [arm(new, "shadow")]), events)  # type: ignore[arg-type]
    assert (first.score, first.by) == (0.5, None)
    assert first.shadow == (Shadow("new", "r", "review", 0.9),)
    assert label.shadow == ()
    assert last.shadow == (Shadow("none", "r", "approve", -1.0),)


@pytest.mark.parametrize("state", ["canary", "shadow"])
def test_a_version_on_trial_that_raises_decides_nothing_and_is_taken_back(state: str) -> None:
    bad = arm(Judge("new", raises=True), state, 0.5)
    rolled = Rolled(Judge("old"), [bad])  # type: ignore[arg-type]
    found = decided(rolled, EVENTS)
    assert all((v.by, v.score, v.shadow) == (None, 0.5, ()) for v in found)
    told = rolled.harm()
    assert told is not None and told[0] is bad and "it had no score for" in told[1]


def test_what_has_just_become_live_is_compared_with_what_was_before() -> None:
    before = Scores()
    before.add([Random(1).random() for _ in range(watch.KEPT)], 0)
    live = Judge("new", 0.999)
    rolled = Rolled(live, probation=arm(live, "live"), before=before)  # type: ignore[arg-type]
    decided(rolled, EVENTS[: watch.COMPARED - 1])
    assert rolled.harm() is None
    decided(rolled, EVENTS[:1])
    told = rolled.harm()
    assert told is not None and "its scores jumped" in told[1]
    expected = Rolled(live, probation=arm(live, "live", may_jump=True), before=before)  # type: ignore[arg-type]
    decided(expected, EVENTS)
    assert expected.harm() is None


def test_the_stability_index_against_its_definition_and_by_chance() -> None:
    random = Random(7)
    one = [random.betavariate(1, 9) for _ in range(watch.COMPARED)]
    for _ in range(20):
        other = [random.betavariate(1, 9) for _ in range(watch.COMPARED)]
        assert stability(one, other) < 0.1
    assert stability(one, [min(1.0, 4 * x) for x in one]) > watch.JUMP
    assert stability([0.0] * 99, [0.0] * 99) == 0
    edges = sorted(one)
    half = edges[: len(edges) // 2]  # the five lower deciles have 20 % each, the others nothing
    floor = 1e-3
    by_hand = 5 * (0.2 - 0.1) * _log(0.2 / 0.1) + 5 * (floor - 0.1) * _log(floor / 0.1)
    assert stability(one, half) == pytest.approx(by_hand, rel=0.02)


def _log(x: float) -> float:
    from math import log

    return log(x)


def test_few_rows_say_nothing() -> None:
    few = Scores()
    few.add([], watch.LEAST - 1)
    assert harm(few, None, False) == ""
    few.add([], 1)
    assert harm(few, None, False).startswith(f"it had no score for {watch.LEAST} of {watch.LEAST}")
