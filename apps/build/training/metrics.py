"""Measures of a ranking, as in the Fraud Detection Handbook (Le Borgne et al.), chapter 4."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def roc_auc(score: Floats, positive: Flags) -> float:
    """The share of pairs (positive, negative) in the right order; ties count half."""
    values, at, sizes = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(sizes) - (sizes - 1) / 2)[at]
    hits = int(positive.sum())
    misses = len(values[at]) - hits
    return float((rank[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def average_precision(score: Floats, positive: Flags) -> float:
    """Mean precision over the positives' ranks; equal scores share one rank."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.cumsum(positive[order])[ends]
    precision = hits / (ends + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def precision_at_top(score: Floats, positive: Flags, day: NDArray[np.int64], top: int) -> float:
    """Of the `top` highest scores of each day the share of positives, mean over days."""
    shares = []
    for one in np.unique(day):
        own = day == one
        order = np.argsort(-score[own], kind="stable")[:top]
        shares.append(positive[own][order].mean())
    return float(np.mean(shares))
