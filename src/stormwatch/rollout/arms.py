"""Several versions at once: what each entity is decided by, and what others would say. Pure.

A canary decides the entities whose hash falls into its share: the same ones in every process, and
all of those still where the share grows. A shadow is asked of everything and its verdict is noted.
States hold no score, so they are the same whichever version decides.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple
from zlib import crc32

from stormwatch.models import NONE
from stormwatch.records import Shadow
from stormwatch.rollout.changes import Entry
from stormwatch.rollout.watch import Scores, harm
from stormwatch.state.judge import Judge, Verdict

PROBATION = 10_000
"""Rows for which a version that became live while it was watched is compared with the one before.
"""


def is_chosen(version: str, entity: str, share: float) -> bool:
    """Whether a canary of that version and share decides the entity."""
    return crc32(f"{version}/{entity}".encode()) < share * 2**32


class Arm(NamedTuple):
    """A version on trial: the kind that it is of, and the domain with it in place."""

    kind: str
    entry: Entry
    judge: Any
    scores: Scores


class Rolled:
    """The judge that is live, with versions on trial beside it. As `judge` to all who ask.

    A version on trial that raises decides nothing: the live one does, and `harm` says so.
    """

    def __init__(
        self,
        judge: Judge[Any, Any],
        arms: Sequence[Arm] = (),
        *,
        probation: Arm | None = None,
        before: Scores | None = None,
    ) -> None:
        """`probation`: the live version as an arm, where it has just become that; `before`: what
        the live one before it scored."""
        self._judge, self._arms = judge, tuple(arms)
        self._probation, self._before = probation, before
        self.scores = probation.scores if probation else Scores()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._judge, name)

    def harm(self) -> tuple[Arm, str] | None:
        """A version that is to be taken back, and why."""
        for arm in self._arms:
            may_jump = arm.entry.may_jump or arm.entry.state == "shadow"
            if why := harm(arm.scores, self.scores, may_jump):
                return arm, why
        live = self._probation
        if live is not None and live.scores.rows <= PROBATION:
            why = harm(live.scores, self._before, live.entry.may_jump)
            return (live, why) if why else None
        return None

    @property
    def settle(self) -> Any:
        """The last word of whichever version has one: a verdict says itself what it needs of it."""
        every = (getattr(judge, "settle", None)
                 for judge in (self._judge, *(arm.judge for arm in self._arms)))  # fmt: skip
        return next((each for each in every if each is not None), None)

    @property
    def models(self) -> tuple[Any, ...]:
        """Of the live one, and of what is on trial."""
        judges = (self._judge, *(arm.judge for arm in self._arms))
        return tuple(model for judge in judges for model in getattr(judge, "models", ()))

    @property
    def other_versions(self) -> frozenset[tuple[str, str, str]]:
        """Of the live one's, and of what is on trial."""
        found = frozenset(getattr(self._judge, "other_versions", ()))
        for arm in self._arms:
            judge = arm.judge
            own = (judge.model_version, judge.rules_version, judge.feature_set)
            found |= {own, *getattr(judge, "other_versions", ())}
        return found

    def decide(
        self,
        events: Sequence[Any],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Any],
    ) -> list[Verdict]:
        """See the port: each by the live version, or by the canary that its entity is chosen by."""
        rows = _Rows(events, features, carries)
        left = list(range(len(events)))
        verdicts: dict[int, Verdict] = {}
        for arm in self._arms:
            version, share = arm.entry.version, arm.entry.share
            if arm.entry.state == "canary":
                own = [at for at in left if is_chosen(version, events[at].entity, share)]
                verdicts.update(zip(own, _asked(arm, rows, own), strict=False))
                left = [at for at in left if at not in verdicts]
        if left:
            found = self._judge.decide(*rows.some(left))
            if self._arms or self._probation:
                _count(self.scores, found)
            verdicts.update(zip(left, found, strict=True))
        for arm in self._arms:
            if arm.entry.state == "shadow":
                judged = [at for at, each in verdicts.items() if each.learned is None]
                for at, other in zip(judged, _asked(arm, rows, judged), strict=False):
                    verdict = verdicts[at]
                    verdicts[at] = verdict._replace(shadow=(*verdict.shadow, _noted(other)))
        return [verdicts[at] for at in range(len(events))]


class _Rows(NamedTuple):
    events: Sequence[Any]
    features: Sequence[tuple[float, ...]]
    carries: Sequence[Any]

    def some(self, at: Sequence[int]) -> tuple[Sequence[Any], ...]:
        """Of these places."""
        if len(at) == len(self.events):
            return self
        return tuple([column[each] for each in at] for column in self)


def _asked(arm: Arm, rows: _Rows, at: Sequence[int]) -> list[Verdict]:
    """What a version on trial says of the rows at these places, by its name; [] where it raises."""
    if not at:
        return []
    try:
        found = arm.judge.decide(*rows.some(at))
    except Exception:  # whatever it raises: counted, and reason enough to take it back
        arm.scores.add((), len(at))
        return []
    _count(arm.scores, found)
    judge = arm.judge
    names = judge.feature_set, judge.model_version, judge.rules_version
    alone = (names[0], NONE, names[2])
    return [
        each if each.by else each._replace(by=alone if each.degraded else names) for each in found
    ]


def _count(scores: Scores, found: Sequence[Verdict]) -> None:
    made = [each.score for each in found if each.learned is None and not each.degraded]
    degraded = sum(each.degraded for each in found)
    scores.add([score for score in made if isfinite(score) and score >= 0], degraded)


def _noted(verdict: Verdict) -> Shadow:
    assert verdict.by is not None
    _, model, rules = verdict.by
    return Shadow(model, rules, verdict.outcome, verdict.score)
