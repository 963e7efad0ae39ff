"""How much each feature adds to a score: amounts that, with a base, add up to it.

A model may tell of itself (`explain(row) -> Parts`): trees do, exactly, see `tree_contributions`.
Of any other its features are set one after the other from a reference row to their values; what the
score moves at each step is that feature's, averaged over orders and their reverses (Castro, Gómez
and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009). That adds up by
its construction.
"""

from collections.abc import Callable, Sequence
from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormwatch.models import distribution

Floats = NDArray[np.float64]

ORDERS = 4
"""Orders of features that are tried, and their reverses."""
_EDGE = 1e-9
"""Nearer to 0 or 1 no probability is taken to be, for its log-odds."""


class Parts(NamedTuple):
    """`base` and `amounts`, one a feature, add up to `total`, but for rounding."""

    base: float
    amounts: Floats
    total: float
    is_log_odds: bool = False
    """Whether these are log-odds of the probability that the model gives, not in its own unit."""

    def in_log_odds(self) -> "Parts":
        """Of a model that gives probabilities: what each adds to the log-odds, in proportion."""
        if self.is_log_odds:
            return self
        base, total = log_odds(self.base), log_odds(self.total)
        moved = self.total - self.base
        amounts = self.amounts * ((total - base) / moved) if moved else self.amounts * 0.0
        return Parts(base if moved else total, amounts, total, is_log_odds=True)


def parts_of(model: Any, row: Sequence[float]) -> Parts | None:
    """Of one row of a `models.Model`; None where the model has no score now."""
    if tells := getattr(model, "explain", None):
        found: Parts | None = tells(row)
        return found
    return replaced(model.predict, row, reference(model))


def reference(model: Any) -> Floats:
    """The row that others are compared with: the medians of the training's, as the card has them,
    else zeros."""
    trained_on = distribution.of(model.card)
    return np.zeros(len(model.card.feature_names)) if trained_on is None else trained_on.medians


def replaced(
    predict: Callable[[Floats], Sequence[float]], row: Sequence[float], reference: Floats
) -> Parts | None:
    """By one call of `predict` with at most 2 * ORDERS * features rows; None where a score of these
    is missing.

    Features that are as in the reference get nothing. The orders are the same for every row, so
    that the same row is always told alike.
    """
    x = np.asarray(row, dtype=np.float64)
    drawn = np.random.default_rng(len(x))
    rows, orders = [reference, x], list[list[int]]()
    for _ in range(ORDERS):
        order = [int(at) for at in drawn.permutation(len(x)) if x[at] != reference[at]]
        orders += [order, order[::-1]]
    for order in orders:
        now = reference
        for at in order[:-1]:
            now = now.copy()
            now[at] = x[at]
            rows.append(now)
    scores = np.array(predict(np.array(rows)), dtype=np.float64)
    if not np.isfinite(scores).all():
        return None
    amounts = np.zeros(len(x))
    steps = max(len(orders[0]) - 1, 0)
    for nth, order in enumerate(orders):
        if order:
            first = 2 + nth * steps
            walk = [scores[0], *scores[first : first + steps], scores[1]]
            amounts[order] += np.diff(walk)
    return Parts(float(scores[0]), amounts / len(orders), float(scores[1]))


def log_odds(probability: float) -> float:
    """Of a probability, which is taken to be no nearer to 0 and 1 than 1e-9."""
    p = min(max(probability, _EDGE), 1 - _EDGE)
    return log(p / (1 - p))
