"""From what features added to a score to an explanation that is kept with the decision. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stormwatch.models.contributions import Parts
from stormwatch.records import Contribution, Explanation

MOST = 5
"""Contributions that are kept one by one; the others are one number."""
TELLING = 0.1
"""Of the largest contribution: smaller ones are not said."""
SENTENCES = 3
"""That a reason has at most of what speaks for it."""


class Told(NamedTuple):
    """What is said of one contribution."""

    about: str
    text: str
    normal: tuple[float, float] | None = None


def explanation(
    unit: str,
    parts: Parts,
    names: Sequence[str],
    row: Sequence[float],
    told: Callable[[int], Told],
    by: str = "model",
) -> Explanation:
    """Of a row whose features are named in order: MOST contributions, the largest first.

    Amounts have 4 decimals; the rest takes up what that leaves, so that with `base` all add up to
    what the model gave within 1e-6.
    """
    amounts = parts.amounts.tolist()
    order = sorted(range(len(names)), key=lambda at: -abs(amounts[at]))  # stable
    base = round(parts.base, 4)
    kept: list[Contribution] = []
    for at in order[:MOST]:
        amount = round(amounts[at], 4)
        if amount:
            said = told(at)
            value = round(float(row[at]), 4)
            kept.append(Contribution(names[at], amount, said.text, value, said.normal))
    rest = round(parts.total - base - sum(one.amount for one in kept), 7)
    return Explanation(by, unit, base, tuple(kept), rest)


def sentences(found: Explanation, matter: Callable[[str], str], sign: float = 1.0) -> str:
    """Why, in words: what speaks for it, largest first, and what speaks most against it, if much.

    `matter` is what a contribution is about: of each matter one is said. `sign`: -1 where small
    scores are bad, such as cycles left.
    """
    if not found.parts:
        return ""
    least = TELLING * abs(found.parts[0].amount)
    said: dict[str, str] = {}
    against = ""
    for part in found.parts:
        about = matter(part.of)
        if about in said or abs(part.amount) < least:
            continue
        if part.amount * sign > 0:
            if len(said) < SENTENCES:
                said[about] = part.text
        elif not against and abs(part.amount) > 5 * least:
            against = part.text
    text = "; ".join(said.values())
    return f"{text}; against it: {against}" if against else text
