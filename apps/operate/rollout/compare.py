"""How a version on trial decides beside the live one, by the decisions that are stored."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from stormwatch.records import Decision
from stormwatch.rollout.watch import COMPARED, stability

_decode = msgspec.json.Decoder(Decision).decode
_KEPT = 50_000
"""Scores of each side that distributions are compared of, the last ones read."""


class Side(msgspec.Struct):
    """What one version decided, or as a shadow would have."""

    version: str
    decisions: int = 0
    alerts: int = 0
    alerts_deserved: int = 0  # of those that labels speak of
    alerts_undeserved: int = 0
    missed: int = 0  # labelled as deserved, and no alert


class Compared(msgspec.Struct):
    """Two versions. A shadow: of the same events; a canary: each of its own entities."""

    one: Side
    other: Side
    same_events: bool
    both: int = 0  # alerts of both; of the same events alone
    only_one: int = 0
    only_other: int = 0
    score_difference: float | None = None  # mean, absolute; of the same events
    stability: float | None = None  # population stability index of the scores; None: too few


def compare(bodies: Iterable[bytes], live: str, trial: str, alerts: frozenset[str]) -> Compared:
    """Of the JSON of stored decisions and labels, in any order. `alerts`: outcomes that are."""
    made = Compared(Side(live), Side(trial), False)
    alerted: dict[tuple[str, str], tuple[bool | None, bool | None]] = {}
    labels: dict[tuple[str, str], bool] = {}
    scores: tuple[list[float], list[float]] = ([], [])
    differences: list[float] = []
    for one in _decisions(bodies, labels):
        shadow = next((s for s in one.shadow or () if s.model == trial), None)
        mine = one.outcome in alerts if one.model == live else None
        theirs = one.outcome in alerts if one.model == trial else None
        if shadow is not None and mine is not None:
            made.same_events, theirs = True, shadow.outcome in alerts
            if min(one.score, shadow.score) >= 0:
                differences.append(abs(one.score - shadow.score))
        for at, said, score in (
            (0, mine, one.score), (1, theirs, shadow.score if shadow else one.score),
        ):  # fmt: skip
            if said is not None and score >= 0:
                scores[at].append(score)
        if mine is not None or theirs is not None:
            alerted[one.entity, one.id] = mine, theirs
    for key, sides in alerted.items():
        for side, said in zip((made.one, made.other), sides, strict=True):
            if said is not None:
                _count(side, said, labels.get(key))
    pairs = Counter(sides for sides in alerted.values() if None not in sides)
    made.both, made.only_one = pairs[True, True], pairs[True, False]
    made.only_other = pairs[False, True]
    if differences:
        made.score_difference = round(sum(differences) / len(differences), 6)
    if min(map(len, scores)) >= COMPARED:
        made.stability = round(stability(scores[0][-_KEPT:], scores[1][-_KEPT:]), 4)
    return made


def _decisions(bodies: Iterable[bytes], labels: dict[tuple[str, str], bool]) -> Iterator[Decision]:
    for body in bodies:
        one = _decode(bytes(body))
        if one.learned:
            labels[one.entity, one.learned.id] = one.learned.positive
        else:
            yield one


def _count(side: Side, alert: bool, label: bool | None) -> None:
    side.decisions += 1
    side.alerts += alert
    side.alerts_deserved += alert and label is True
    side.alerts_undeserved += alert and label is False
    side.missed += label is True and not alert
