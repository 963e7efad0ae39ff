"""The items to show a user, from the neighbours of the user's last items, with the reason."""

from collections.abc import Mapping, Sequence

from stormwatch.domains.recommend.history import RoundPlan, Touch, digest_of, owns
from stormwatch.domains.recommend.neighbours import Answer
from stormwatch.records import Reason
from stormwatch.state.judge import Verdict

TOP = 10
ASKED = 6
"""How many of the user's last items are asked for their neighbours."""
RECOMMENDED, POPULAR = "recommended", "popular"
_FADING = 0.65  # an item's say, against that of the one touched after it
_DID = {"view": "viewed", "buy": "bought", "rate": "rated"}


def rank(plan: RoundPlan, answers: Mapping[str, Answer], popular: Answer) -> Verdict:
    """The TOP best, best first: one reason each, its `code` the item, its `weight` the score.

    An item's score is the sum over the last items r, newest first, of fading * share of the
    neighbour in all that was learned of r. Never among them: what the user owns, and the user's
    last items. Places left over go to what is popular, with scores of 0.
    """
    scores: dict[str, float] = {}
    because: dict[str, tuple[float, Touch]] = {}
    say = 1.0
    for touch in asked(plan.recent):
        answer = answers.get(touch.item)
        if answer is not None and touch.strength:
            for name, count in answer.best:
                part = say * touch.strength**0.5 * count / answer.total
                scores[name] = scores.get(name, 0.0) + part
                if part > because.get(name, (0.0, touch))[0]:
                    because[name] = part, touch
        say *= _FADING
    seen = {touch.item for touch in plan.recent}
    ranked = sorted((-round(score, 6), name) for name, score in scores.items())
    shown = [(name, -less) for less, name in ranked if _may_show(plan, seen, name)]
    shown = shown[:TOP]
    reasons = [Reason(name, _why(because[name][1]), score) for name, score in shown]
    for name, _ in popular.best:
        if len(reasons) >= TOP:
            break
        if name not in scores and _may_show(plan, seen, name):
            reasons.append(Reason(name, "popular now"))
    return Verdict(RECOMMENDED if shown else POPULAR, shown[0][1] if shown else 0.0, tuple(reasons))


def asked(recent: Sequence[Touch]) -> list[Touch]:
    """Those whose neighbours count, newest first."""
    return list(recent[: -ASKED - 1 : -1])


def _may_show(plan: RoundPlan, seen: set[str], name: str) -> bool:
    return name not in seen and not owns(plan.owned, digest_of(name))


def _why(touch: Touch) -> str:
    return f"because you {_DID[touch.kind]} {touch.item}"
