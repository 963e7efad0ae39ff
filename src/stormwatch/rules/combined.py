"""What the rules of a set decide together: outright, or by the sum of their weights. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from stormwatch.rules.document import Rule, RuleSet
from stormwatch.rules.predicate import Flags


class Ruled(NamedTuple):
    """Of each row what rules alone decide: `review` holds of what is declined, too."""

    approve: Flags
    review: Flags
    decline: Flags


def combined(rules: RuleSet, fired: Iterable[tuple[Rule, Flags]], size: int) -> Ruled:
    """Of `size` rows, given on which each rule of the set fires; only live ones count.

    An outright decline wins over an outright approve, and that over weights and reviews.
    """
    fired = [(rule, hits) for rule, hits in fired if rule.state == "live"]
    if not fired:
        none = np.zeros(size, np.bool_)
        return Ruled(none, none, none)
    weights = np.zeros(size)
    outright = {name: np.zeros(size, np.bool_) for name in ("approve", "review", "decline")}
    for rule, hits in fired:
        weights += rule.weight * hits
        if rule.outcome:
            outright[rule.outcome] |= hits
    approve = outright["approve"] & ~outright["decline"]
    decline = outright["decline"] | ((weights >= rules.decline_from) & ~approve)
    review = outright["review"] | (weights >= rules.review_from)
    return Ruled(approve, decline | (review & ~approve), decline)
