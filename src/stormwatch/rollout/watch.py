"""Whether a version on trial does harm: counted while it decides or is asked. Pure.

What is compared are the scores of hash-chosen entities with those of all others, or of the same
events: with 1,000 of each the population stability index of like models is about 0.02 by chance.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

LEAST = 200
"""Rows below which nothing is said of a version."""
MISSING_MOST = 0.05
"""Share of rows without a score above which a version is taken back."""
COMPARED = 1_000
"""Scores of each side that are compared, at least."""
KEPT = 2_000
JUMP = 1.0
"""Population stability index of the scores above which they have jumped: four times what is called
much (`stormwatch.metrics.MUCH_DRIFT`), for another model may well score a little otherwise."""
_BINS = 10
_LEAST_SHARE = 1e-3


class Scores:
    """The newest scores of a version, and how many rows it had none for."""

    def __init__(self) -> None:
        self.rows = self.missing = 0
        self._newest: deque[float] = deque(maxlen=KEPT)

    def add(self, scores: Sequence[float], missing: int) -> None:
        """`scores` of the rows that have one."""
        self.rows += len(scores) + missing
        self.missing += missing
        self._newest.extend(scores)

    @property
    def newest(self) -> list[float]:
        return list(self._newest)


def harm(trial: Scores, other: Scores | None, may_jump: bool) -> str:
    """Why a version is to be taken back, in words; "" as long as it is not.

    `other`: of the version that it is compared with, if there is one; `may_jump`: its scores are
    expected to be others.
    """
    if trial.rows >= LEAST and trial.missing > MISSING_MOST * trial.rows:
        return (
            f"it had no score for {trial.missing} of {trial.rows} events (errors, or not in time: "
            "model.deadline_s)"
        )
    if other is None or may_jump:
        return ""
    mine, theirs = trial.newest, other.newest
    if min(len(mine), len(theirs)) < COMPARED:
        return ""
    index = stability(theirs, mine)
    if index <= JUMP:
        return ""
    return (
        f"its scores jumped: population stability index {index:.2f} against the version before, "
        f"more than {JUMP:g} (medians {np.median(mine):.4g} and {np.median(theirs):.4g})"
    )


def stability(expected: Iterable[float], actual: Iterable[float]) -> float:
    """The population stability index of scores, by deciles of those expected."""
    one, other = np.array(list(expected)), np.array(list(actual))
    edges = np.unique(np.quantile(one, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = [
        np.maximum(np.bincount(edges.searchsorted(some), minlength=len(edges) + 1) / len(some),
                   _LEAST_SHARE)
        for some in (one, other)
    ]  # fmt: skip
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
