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
        moved = self.moved_to(log_odds(self.base), log_odds(self.total))
        return moved._replace(is_log_odds=True)

    def moved_to(self, base: float, total: float) -> "Parts":
        """In proportion, between another base and total; of no amounts the base is the total."""
        moved = self.total - self.base
        if not moved:
            return self._replace(base=total, amounts=self.amounts * 0.0, total=total)
        return self._replace(
            base=base, amounts=self.amounts * ((total - base) / moved), total=total
        )


def parts_of(model: Any, row: Sequence[float] | Floats) -> Parts | None:
    """Of one row of a `models.Model`; None where the model has no score now.

    Of a model of sequences a row holds all of them, the oldest first; a feature's amount is that of
    all its values.
    """
    if tells := getattr(model, "explain", None):
        found: Parts | None = tells(row)
        return found
    usual, window = reference(model), model.card.window
    if window == 1:
        return replaced(model.predict, row, usual)
    told = np.asarray(row, dtype=np.float64).reshape(window, -1)

    def predict(known: Floats) -> Sequence[float]:
        rows = np.where(known[:, None, :] > 0, told, usual)
        scores: Sequence[float] = model.predict(rows.reshape(len(known), -1))
        return scores

    return replaced(predict, np.ones(len(usual)), np.zeros(len(usual)))


def reference(model: Any) -> Floats:
    """The row that others are compared with: the medians of the training's, as the card has them,
    else zeros."""
    trained_on = distribution.of(model.card)
    return np.zeros(len(model.card.feature_names)) if trained_on is None else trained_on.medians


def replaced(
    predict: Callable[[Floats], Sequence[float]],
    row: Sequence[float] | Floats,
    reference: Floats,
) -> Parts | None:
    """By one call of `predict` with 2 * ORDERS * features rows at most; None where one of these
    has no score.

    Features that are as in the reference get nothing. The orders are the same for every row, so
    that the same row is always told alike.
    """
    x = np.asarray(row, dtype=np.float64)
    differ = np.flatnonzero(x != reference)
    count = len(differ)
    drawn = np.random.default_rng(len(x)).permuted(np.tile(np.arange(len(x)), (ORDERS, 1)), axis=1)
    ranks = drawn[:, differ].argsort(axis=1).argsort(axis=1)  # of each feature, when it is set
    ranks = np.vstack([ranks, count - 1 - ranks])
    steps = np.arange(1, count)[:, None]
    rows = np.tile(reference, (2 + len(ranks) * max(count - 1, 0), 1))
    rows[1] = x
    is_set = (ranks[:, None, :] < steps).reshape(len(rows) - 2, count)
    rows[2:, differ] = np.where(is_set, x[differ], reference[differ])
    scores = np.array(predict(rows), dtype=np.float64)
    if not np.isfinite(scores).all():
        return None
    base, total = scores[:2].tolist()
    amounts = np.zeros(len(x))
    if count:
        walks = np.empty((len(ranks), count + 1))
        walks[:, 0], walks[:, -1] = base, total
        walks[:, 1:-1] = scores[2:].reshape(len(ranks), -1)
        amounts[differ] = np.take_along_axis(np.diff(walks), ranks, axis=1).mean(axis=0)
    return Parts(base, amounts, total)


def log_odds(probability: float) -> float:
    """Of a probability, which is taken to be no nearer to 0 and 1 than 1e-9."""
    p = min(max(probability, _EDGE), 1 - _EDGE)
    return log(p / (1 - p))
