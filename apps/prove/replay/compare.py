"""Replayed against stored, and new against stored: reports. Pure."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from apps.prove.verdict.judge import body_differences
from stormwatch.records import Decision, DecisionRow

EXAMPLES = 20
_decode = msgspec.json.Decoder(Decision).decode


class Difference(msgspec.Struct, frozen=True):
    """One offset that came out otherwise; `fields` names each field, stored and replayed."""

    offset: int
    entity: str
    id: str
    fields: str
    because: str = ""


class Proof(msgspec.Struct):
    """`equal` decisions are equal in all fields, byte for byte."""

    partition: int
    first: int
    last: int
    before: int  # records run through before `first`, for the states
    versions: list[str]  # model and rules of the stored decisions
    decisions: int
    equal: int
    ends: dict[str, int]
    differences: list[Difference]  # EXAMPLES of them at most
    different: int

    @property
    def same(self) -> bool:
        """Whether everything came out as it is stored."""
        return not self.different


class Change(msgspec.Struct):
    """What another model or rule set would have decided of the same records."""

    partition: int
    first: int
    last: int
    model: str
    rules: str
    decisions: int
    changed: int  # decisions with another outcome
    outcomes: dict[str, int]  # "approve -> review": decisions
    gained: dict[str, int]  # reason code -> decisions that have it only now
    lost: dict[str, int]
    score_mean: float  # mean absolute difference of the scores, where both have one
    score_max: float
    examples: list[Difference]


def differences(
    stored: Mapping[int, DecisionRow],
    replayed: Mapping[int, DecisionRow],
    stored_ends: Mapping[int, str],
    replayed_ends: Mapping[int, str],
) -> list[Difference]:
    """Each offset whose end state or decision differs, in order."""
    out = []
    for offset in sorted(stored_ends.keys() | replayed_ends.keys()):
        was, now = stored_ends.get(offset, "none"), replayed_ends.get(offset, "none")
        mine, theirs = replayed.get(offset), stored.get(offset)
        row = theirs or mine
        name = (row.entity, row.id) if row else ("", "")
        if was != now:
            out.append(Difference(offset, *name, f"end state: {was} stored, {now} replayed"))
        elif mine is not None and theirs is not None and mine != theirs:
            told = body_differences(mine.body, theirs.body) or _columns(mine, theirs)
            out.append(Difference(offset, *name, told, _because(theirs)))
    return out


def change(
    of: tuple[int, int, int], stored: Mapping[int, DecisionRow], new: Mapping[int, DecisionRow]
) -> Change:
    """Compare decisions of the same offsets; `of` is partition, first and last."""
    outcomes: Counter[str] = Counter()
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    examples: list[Difference] = []
    apart, model, rules = [0.0], "", ""
    both = sorted(stored.keys() & new.keys())
    for offset in both:
        old, now = _decode(bytes(stored[offset].body)), _decode(bytes(new[offset].body))
        model, rules = now.model, now.rules
        if old.degraded is now.degraded is msgspec.UNSET:
            apart.append(abs(old.score - now.score))
        before, after = ({reason.code for reason in d.reasons} for d in (old, now))
        gained.update(after - before)
        lost.update(before - after)
        if old.outcome != now.outcome:
            outcomes[f"{old.outcome} -> {now.outcome}"] += 1
            if len(examples) < EXAMPLES:
                why = "; ".join(reason.text for reason in now.reasons) or "no reason is left"
                told = f"{old.outcome} {old.score} -> {now.outcome} {now.score}"
                examples.append(Difference(offset, now.entity, now.id, told, why))
    return Change(
        *of, model, rules, len(both), outcomes.total(), dict(outcomes.most_common()),
        dict(gained.most_common()), dict(lost.most_common()),
        round(sum(apart) / max(len(both), 1), 6), round(max(apart), 6), examples,
    )  # fmt: skip


def _columns(mine: DecisionRow, theirs: DecisionRow) -> str:
    names = ("outcome", "score", "timestamp", "alert", "body")
    return "; ".join(
        f"{name}: {getattr(theirs, name)!r}, not {getattr(mine, name)!r}"
        for name in names
        if getattr(mine, name) != getattr(theirs, name)
    )


def _because(stored: DecisionRow) -> str:
    try:
        misplaced = _decode(bytes(stored.body)).misplaced
    except msgspec.MsgspecError:
        return "the stored body is not a decision"
    if misplaced:
        return "the entity also has records in another partition, which this replay does not read"
    return ""
