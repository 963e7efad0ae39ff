"""What a model was trained on, feature by feature and jointly, and whether a row is like it.

A model answers for any row; away from what it has seen its answer means nothing. At training the
distribution of its features goes into its card (`describe`). Where it scores, a row is out of
distribution

- if a feature lies beyond the training rows' range by more than that range is wide, or
- if the features together are as they never were: each is turned into a normal score by the
  training rows' quantiles, and the row's squared Mahalanobis distance from their mean is above what
  nearly all training rows have.

A feature that never varied in training taught the model nothing and is not looked at.

The population stability index of a feature is the sum over its bins of (a - e) * ln(a / e), of the
share of rows now (a) and in training (e). Below 0.1 little has changed, above 0.25 much has
(Siddiqi, "Credit Risk Scorecards", 2006).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stormwatch.errors import ModelError
from stormwatch.models import phases as by_phase
from stormwatch.models.card import Card

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_AT = (
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99,
    0.995, 0.999,
)  # fmt: skip
"""Quantiles that are kept of each feature."""
_DECILES = tuple(at for at, p in enumerate(_AT) if 0.1 <= p <= 0.9)
_NORMAL = np.array([NormalDist().inv_cdf(p) for p in _AT])
_FARTHEST = 5.0
"""No single feature counts for more than so many standard deviations: alone it has its range."""
_SHRINK = 0.05
"""Of the covariance towards one without correlations, so that it can be inverted."""
_FLOOR = 1e-3
"""Least variance of a feature: of one that never varied as well."""
NEARLY_ALL = 0.9995
"""Share of the training rows that are nearer than the distance that is allowed."""
RARELY_MORE = 0.99
"""The same of the rows of a rare class."""
_FEW = 48
"""Rows up to which a call for each feature costs more than comparing with all quantiles."""
FIT_MAX = 200_000
"""Rows that a description is made of at most, evenly taken."""
_LEAST_SHARE = 1e-4
"""Of a bin, so that an empty one does not make an index infinite."""


class _Described(msgspec.Struct, frozen=True, array_like=True):
    """As it stands in a card: float32 arrays, little-endian."""

    features: int
    quantiles: bytes  # features x len(_AT)
    shares: bytes  # (features + 1) x (deciles + 1): of training rows in each bin; last: the score's
    score: bytes  # deciles of the score
    center: bytes  # of the normal scores
    precision: bytes  # features x features: inverse of their covariance
    far: float  # squared distance
    rare: bytes = b""  # features x 2: between which values the rows of a rare class were


class _OfLives(_Described, frozen=True, array_like=True):
    """With what there is to say of rows of lives."""

    phases: list[by_phase.Phase] = []  # features, score and alerts by phase


class Lives(NamedTuple):
    """Of training rows that are of units which age."""

    phase: Sequence[int]  # of its unit's life; below 0: the row is compared with nothing
    alert: Flags  # whether a unit that reads so has an alert


def describe(
    rows: ArrayLike,
    scores: ArrayLike,
    settled: Callable[[Floats], Flags] | None = None,
    rare: Flags | None = None,
    lives: Lives | None = None,
) -> bytes:
    """For `Card.distribution`: of the training rows and of the model's scores of them.

    `settled` says which rows the stability index is of: those of entities known for long enough.
    `rare` marks the rows of a class that is rare, and nearly always unusual: frauds. So many of
    them as RARELY_MORE says are in distribution too, for the model has learned of them.
    `lives`: of units that age; see `phases`.
    Raises ValueError for rows that are not finite, or fewer than 1,000.
    """
    x, y = np.asarray(rows, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if len(x) < 1_000 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a distribution is described from 1,000 finite rows or more")
    step = -(-len(x) // FIT_MAX)
    seldom = x[:0] if rare is None else x[rare]
    whole = None
    if lives is not None:
        whole = by_phase.describe(np.column_stack([x, y, lives.alert]), lives.phase)
    x, y = x[::step], y[::step]
    kept = slice(None) if settled is None else settled(x)
    quantiles = np.quantile(x, _AT, axis=0).T.astype("<f4").astype(np.float64)
    score = np.quantile(y[kept], [_AT[at] for at in _DECILES]).astype("<f4").astype(np.float64)
    edges = quantiles[:, _DECILES]
    shares = [_counts(own, column) for own, column in zip(edges, x[kept].T, strict=True)]
    shares.append(_counts(score, y[kept]))
    z = _normal_scores(_curves(quantiles), x)
    center = z.mean(axis=0)
    covariance = np.cov(z - center, rowvar=False).reshape(x.shape[1], -1)
    own = np.diag(covariance)
    covariance = (1 - _SHRINK) * covariance + np.diag(_SHRINK * own + _FLOOR)
    precision = np.linalg.inv(covariance).astype("<f4")
    distance = _distance(z - center.astype("<f4"), precision)
    far = float(np.quantile(distance, NEARLY_ALL))
    ends = b""
    if len(seldom):
        ends = _bytes(np.array([seldom.min(axis=0), seldom.max(axis=0)]).T)
        own = _normal_scores(_curves(quantiles), seldom) - center.astype("<f4")
        far = max(far, float(np.quantile(_distance(own, precision), RARELY_MORE)))
    told = (
        x.shape[1], _bytes(quantiles), _bytes(np.array(shares) / len(y[kept])), _bytes(score),
        _bytes(center), _bytes(precision), far, ends,
    )  # fmt: skip
    made = _Described(*told) if whole is None else _OfLives(*told, whole)
    return msgspec.msgpack.encode(made)


def of(card: Card) -> "Distribution | None":
    """Of a card; None of one that has none. Raises ModelError for one that cannot be read."""
    if not card.distribution:
        return None
    try:
        made = _read(card.distribution)
    except (msgspec.DecodeError, ValueError) as error:
        raise ModelError(
            f"The card of model {card.version} has a distribution that cannot be read: {error}. "
            "Restore the card or train the model again: ./stormwatch train"
        ) from error
    if made.features != len(card.feature_names):
        raise ModelError(
            f"The card of model {card.version} has a distribution of {made.features} features for "
            f"{len(card.feature_names)}. Restore the card or train again: ./stormwatch train"
        )
    return made


@lru_cache(maxsize=8)
def _read(told: bytes) -> "Distribution":
    return Distribution(msgspec.msgpack.decode(told, type=_OfLives))


class Distribution:
    """Tells which rows are out of distribution: 22 features in about 3 µs a row, 500 at a time."""

    def __init__(self, told: _OfLives) -> None:
        """Raises ValueError where the arrays do not fit together."""
        n = self.features = told.features
        self._quantiles = _array(told.quantiles, (n, len(_AT)))
        self._shares = _array(told.shares, (n + 1, len(_DECILES) + 1))
        self._score = _array(told.score, (len(_DECILES),))
        self._center = _array(told.center, (n,))
        self._precision = _array(told.precision, (n, n))
        self._far = told.far
        self.phases = by_phase.Phases(told.phases, n + 2) if told.phases else None
        low, high = self._quantiles[:, 0], self._quantiles[:, -1]
        self._curves = _curves(self._quantiles)
        spread = np.where(high > low, high - low, np.inf)
        self._low, self._high = low - spread, high + spread
        if told.rare:
            low, high = _array(told.rare, (n, 2)).T
            self._low = np.minimum(self._low, low - (high - low))
            self._high = np.maximum(self._high, high + (high - low))

    def outside(self, rows: ArrayLike) -> Flags:
        """Of each row (features in the order of the card) whether it is out of distribution."""
        x = np.asarray(rows, dtype=np.float64)
        if not len(x):
            return np.zeros(0, dtype=np.bool_)
        beyond: Flags = np.any((x < self._low) | (x > self._high), axis=1)
        z = _normal_scores(self._curves, x) - self._center
        return np.logical_or(beyond, _distance(z, self._precision) > self._far)

    def hastened(self, core: Any) -> "Callable[[Floats], Flags]":
        """`outside`, by the compiled core (`stormwatch.compiled`) where that is sure of a row."""
        curves = [
            (int(feature), known.tolist(), normal.tolist())
            for feature, (known, normal) in zip(
                self._curves.features, self._curves.parts, strict=True
            )
        ]
        made = core.Distribution(
            self._low.tolist(), self._high.tolist(), curves, self._center.tolist(),
            self._precision.ravel().tolist(), self._far,
        )  # fmt: skip

        def outside(rows: Floats) -> Flags:
            told = made.outside(rows)
            found: Flags = np.frombuffer(told, dtype=np.uint8) == 1
            if 2 in told:
                unsure = np.frombuffer(told, dtype=np.uint8) == 2
                found[unsure] = self.outside(rows[unsure])
            return found

        return outside

    def oddest(self, row: ArrayLike) -> int:
        """Which feature says most clearly that a row is out of distribution."""
        x = np.asarray(row, dtype=np.float64)
        beyond = np.flatnonzero((x < self._low) | (x > self._high))
        if len(beyond):
            return int(beyond[0])
        z = _normal_scores(self._curves, x[None])[0] - self._center
        return int(np.argmax(z * (self._precision @ z)))

    def usual(self, feature: int) -> tuple[float, float]:
        """Between which values 99.8 % of the training rows were."""
        return float(self._quantiles[feature, 0]), float(self._quantiles[feature, -1])

    @property
    def medians(self) -> Floats:
        """Of the training rows, feature by feature."""
        found: Floats = self._quantiles[:, _AT.index(0.5)].copy()
        return found

    def counted(self, rows: ArrayLike, scores: ArrayLike) -> Floats:
        """How many rows are in each bin of each feature, and last of the score: they add up."""
        x, y = np.asarray(rows, dtype=np.float64), np.asarray(scores, dtype=np.float64)
        edges = self._quantiles[:, _DECILES]
        counts = [_counts(own, column) for own, column in zip(edges, x.T, strict=True)]
        return np.array([*counts, _counts(self._score, y)])

    def stability(self, counts: Floats) -> tuple[list[float], float]:
        """The population stability index of each feature, and of the score, of what was counted.

        Of 1,000 rows or more: fewer have large indices by chance.
        """
        found = [
            _index(expected, actual / actual.sum())
            for expected, actual in zip(self._shares, counts, strict=True)
        ]
        return found[:-1], found[-1]


def _counts(edges: Floats, values: Floats) -> Floats:
    """Of values in the bins between the edges; a value on an edge is below it."""
    at = np.searchsorted(edges, values, side="left")
    return np.bincount(at, minlength=len(edges) + 1).astype(np.float64)


def _index(expected: Floats, actual: Floats) -> float:
    e, a = np.maximum(expected, _LEAST_SHARE), np.maximum(actual, _LEAST_SHARE)
    return float(((a - e) * np.log(a / e)).sum())


class _Curves(NamedTuple):
    """From the values of the features that varied in training to normal scores: linear between
    quantiles, and beyond them. A row a feature; what is missing at a row's end is infinite."""

    features: NDArray[np.intp]
    known: Floats  # quantiles, ascending, none twice
    normal: Floats
    slopes: Floats  # from each to the next; 0 at the last one
    ends: Floats  # first and last quantile
    beyond: Floats  # slope of the whole range
    parts: list[tuple[Floats, Floats]]  # `known` and `normal` of each, as long as they are


def _curves(quantiles: Floats) -> _Curves:
    rows = []
    for feature, own in enumerate(quantiles):
        known, first, count = np.unique(own, return_index=True, return_counts=True)
        if len(known) > 1:
            rows.append((feature, known, np.add.reduceat(_NORMAL, first) / count))
    most = max((len(known) for _, known, _ in rows), default=1)
    made = np.full((3, len(rows), most), np.inf)
    made[1:] = 0.0
    for at, (_, own, score) in enumerate(rows):
        made[0, at, : len(own)] = own
        made[1, at, : len(own)] = score
        made[2, at, : len(own) - 1] = np.diff(score) / np.diff(own)
    ends = np.array([(own[0], own[-1]) for _, own, _ in rows]).reshape(-1, 2)
    rises = np.array([score[-1] - score[0] for _, _, score in rows])
    features = np.array([feature for feature, _, _ in rows], dtype=np.intp)
    parts = [(own, score) for _, own, score in rows]
    known, normal, slopes = made
    beyond = rises / (ends[:, 1] - ends[:, 0])
    return _Curves(features, known, normal, slopes, ends, beyond, parts)


def _normal_scores(curves: _Curves, x: Floats) -> Floats:
    """0 for a feature that never varied. Few rows are looked up all at once, many feature by
    feature: the results are the same to the bit, so a row's does not depend on the batch."""
    z = np.zeros_like(x)
    values = x[:, curves.features]
    within = np.minimum(np.maximum(values, curves.ends[:, 0]), curves.ends[:, 1])
    if len(x) <= _FEW:
        rows = np.arange(len(curves.features))
        at = (within[:, :, None] >= curves.known).sum(axis=2) - 1
        found = curves.slopes[rows, at] * (within - curves.known[rows, at])
        found += curves.normal[rows, at]
    else:
        columns = zip(np.ascontiguousarray(within.T), curves.parts, strict=True)
        found = np.zeros((len(curves.parts), len(x)))
        for nth, (column, (known, normal)) in enumerate(columns):
            found[nth] = np.interp(column, known, normal)
        found = found.T
    found += (values - within) * curves.beyond
    z[:, curves.features] = np.minimum(np.maximum(found, -_FARTHEST), _FARTHEST)
    return z


def _distance(z: Floats, precision: NDArray[Any]) -> Floats:
    found: Floats = np.einsum("ij,ij->i", z @ precision, z)
    return found


def _bytes(array: NDArray[Any]) -> bytes:
    return array.astype("<f4").tobytes()


def _array(data: bytes, shape: tuple[int, ...]) -> Floats:
    return np.frombuffer(data, dtype="<f4").reshape(shape).astype(np.float64)
