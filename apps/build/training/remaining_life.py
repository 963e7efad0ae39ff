"""The learner of remaining lives: boosted trees and small networks, and an interval around both.

All is chosen and calibrated with engines held out: readings of one engine are far too alike to
stand on both sides.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from warnings import catch_warnings, simplefilter

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from apps.build.training.engines import LIFE_CAP, Engine
from apps.build.training.export import from_lightgbm
from stormwatch.models import NoModel
from stormwatch.models.interval import Interval
from stormwatch.models.networks import INPUT_MAX, Blend, BlendModel, Layer

Floats = NDArray[np.float64]
Estimator = Callable[[Floats], Floats]

TREES: dict[str, float | int | str] = {
    "objective": "regression", "num_iterations": 300, "learning_rate": 0.04, "num_leaves": 16,
    "min_child_samples": 40, "feature_fraction": 0.4, "bagging_fraction": 0.7, "bagging_freq": 1,
    "lambda_l2": 5.0, "use_missing": "false", "deterministic": "true", "force_row_wise": "true",
    "num_threads": 1, "verbose": -1,
}  # fmt: skip
NETWORKS = 4
HIDDEN = (32, 16)
EPOCHS = 20
BATCH = 256
RATE = 0.002
DECAY = 0.1
SHARE = 0.5
"""Of the trees in an estimate; the networks have the rest in equal parts."""
EARLY = 1.0
"""Cycles taken off an estimate: too late costs more than too early (chosen on held-out engines of
FD001: NASA's score falls by a twentieth, the RMSE does not change)."""
FOLDS = 4
COVERAGE = 0.9
CUTS = 20
"""Random cycles (from the 30th on) at which the life of a held-out engine is estimated."""
_FIRST_CUT = 29
_MOST_LEFT = 150  # cycles; beyond them an engine is as good as new
_KNOTS = (5.0, 15.0, 25.0, 40.0, 55.0, 70.0, 85.0, 100.0, 112.0, 120.0, 124.0)
_NEAR = 0.08  # of all cases: so many make the interval at a knot


class Cases(NamedTuple):
    """Estimates beside the truth, both capped."""

    estimate: Floats
    truth: Floats


def fit(engines: Sequence[Engine], seed: int) -> Blend:
    """The learner's model of these engines."""
    rows = np.vstack([engine.rows for engine in engines])
    life = np.concatenate([engine.life for engine in engines])
    booster = lightgbm.train(TREES | {"seed": seed}, lightgbm.Dataset(rows, life))
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    inputs = np.clip((rows - centre) / scale, -INPUT_MAX, INPUT_MAX).astype(np.float32)
    target = (life / LIFE_CAP).astype(np.float32)
    networks = [_network(inputs, target, seed * NETWORKS + k) for k in range(NETWORKS)]
    return Blend(
        from_lightgbm(booster, "identity"), centre.tolist(), scale.tolist(), networks,
        LIFE_CAP, SHARE, 0.0, LIFE_CAP, EARLY,
    )  # fmt: skip


def estimator(blend: Blend) -> Estimator:
    """Scores by the code that the workers run."""
    model = BlendModel(NoModel.card, blend)
    return lambda rows: np.array(model.predict(rows))


def cross_validated(engines: Sequence[Engine], seed: int) -> list[Floats]:
    """Of each engine its estimates by a model that knows none of its fold."""
    order = np.random.default_rng(seed).permutation(len(engines))
    found: dict[int, Floats] = {}
    for fold in range(min(FOLDS, len(engines))):
        held = set(order[fold::FOLDS].tolist())
        estimate = estimator(fit([e for i, e in enumerate(engines) if i not in held], seed))
        found |= {i: estimate(engines[i].rows) for i in held}
    return [found[i] for i in range(len(engines))]


def cut(engines: Sequence[Engine], estimates: Sequence[Floats], seed: int) -> Cases:
    """At CUTS random cycles of each engine, as a unit in service is met."""
    rng = np.random.default_rng(seed)
    picks = [rng.integers(min(_FIRST_CUT, len(e.life) - 1), len(e.life), CUTS) for e in engines]
    return Cases(
        np.concatenate([own[pick] for own, pick in zip(estimates, picks, strict=True)]),
        np.concatenate([e.life[pick] for e, pick in zip(engines, picks, strict=True)]),
    )


def cut_evenly(engines: Sequence[Engine], estimates: Sequence[Floats], seed: int) -> Cases:
    """At CUTS cycles of each engine, so that each remaining life is met about as often as another.

    An interval is calibrated on these: at random cycles new engines would outweigh worn ones.
    """
    rng = np.random.default_rng(seed)
    picks = [
        len(e.life) - 1 - rng.integers(0, np.clip(len(e.life) - _FIRST_CUT, 1, _MOST_LEFT), CUTS)
        for e in engines
    ]
    return Cases(
        np.concatenate([own[pick] for own, pick in zip(estimates, picks, strict=True)]),
        np.concatenate([e.life[pick] for e, pick in zip(engines, picks, strict=True)]),
    )


def metrics(cases: Cases) -> dict[str, float]:
    """Root of the mean square error, cycles, and NASA's score a hundred estimates."""
    d = cases.estimate - cases.truth
    nasa = np.where(d < 0, np.expm1(-d / 13), np.expm1(d / 10))
    return {
        "rmse": round(float(np.sqrt(np.mean(d**2))), 3),
        "nasa_score": round(float(nasa.mean() * 100), 1),
    }


def calibrated(cases: Cases, seed: int) -> Interval:
    """The narrowest ends at each knot that hold COVERAGE of the cases near it, then conformal.

    Cross-conformal (Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial
    Intelligence 2015) in halves: the ends of one half of the engines' cases are widened by the
    factor that COVERAGE of the other half's needs.
    """
    groups = np.arange(len(cases.truth)) // CUTS  # an engine each
    first = np.isin(groups, np.random.default_rng(seed).permutation(groups.max() + 1)[::2])
    needed = [
        _needed(_ends(Cases(cases.estimate[a], cases.truth[a])), cases.estimate[b], cases.truth[b])
        for a, b in ((first, ~first), (~first, first))
    ]
    ratios = np.concatenate(needed)
    level = min(1.0, np.ceil(COVERAGE * (len(ratios) + 1)) / len(ratios))
    return _widened(_ends(cases), float(np.quantile(ratios, level, method="higher")))


def covered(interval: Interval, cases: Cases) -> tuple[float, float]:
    """The share of truths within the intervals, and their mean width, cycles."""
    ends = np.array([interval.around(estimate) for estimate in cases.estimate.tolist()])
    within = (cases.truth >= ends[:, 0] - 0.05) & (cases.truth <= ends[:, 1] + 0.05)
    return float(within.mean()), float((ends[:, 1] - ends[:, 0]).mean())


def _ends(cases: Cases) -> Interval:
    order = np.argsort(cases.estimate, kind="stable")
    estimate, truth = cases.estimate[order], cases.truth[order]
    near = max(20, round(_NEAR * len(order)))
    low, high = [], []
    for knot in _KNOTS:
        nearest = np.argsort(np.abs(estimate - knot), kind="stable")[:near]
        error = np.sort(truth[nearest] - estimate[nearest])
        inside = min(len(error) - 1, int(np.ceil(COVERAGE * len(error))))
        widths = error[inside:] - error[: len(error) - inside]
        at = int(np.argmin(widths))
        low.append(knot + min(error[at], 0.0))
        high.append(knot + max(error[at + inside], 0.0))
    return _interval(low, high)


def _interval(low: Sequence[float], high: Sequence[float]) -> Interval:
    return Interval(
        COVERAGE, _KNOTS,
        *(tuple(round(float(np.clip(v, 0.0, LIFE_CAP)), 3) for v in ends) for ends in (low, high)),
    )  # fmt: skip


def _needed(ends: Interval, estimate: Floats, truth: Floats) -> Floats:
    """By which factor the interval around each estimate has to be wide to hold the truth."""
    found = []
    for value, true in zip(estimate.tolist(), truth.tolist(), strict=True):
        low, high = ends.around(value)
        side = high - value if true > value else value - low
        found.append(abs(true - value) / max(side, 0.5))
    return np.array(found)


def _widened(ends: Interval, factor: float) -> Interval:
    low = [at - factor * (at - end) for at, end in zip(ends.at, ends.low, strict=True)]
    high = [at + factor * (end - at) for at, end in zip(ends.at, ends.high, strict=True)]
    return _interval(low, high)


def _network(inputs: NDArray[np.float32], target: NDArray[np.float32], seed: int) -> list[Layer]:
    made = MLPRegressor(
        hidden_layer_sizes=HIDDEN, alpha=DECAY, max_iter=EPOCHS, learning_rate_init=RATE,
        batch_size=min(BATCH, len(target)), random_state=seed, tol=0.0, n_iter_no_change=EPOCHS,
    )  # fmt: skip
    with catch_warnings():
        simplefilter("ignore", ConvergenceWarning)  # EPOCHS is how long it is meant to learn
        made.fit(inputs, target)
    return [
        Layer(weights.astype(float).tolist(), bias.astype(float).tolist())
        for weights, bias in zip(made.coefs_, made.intercepts_, strict=True)
    ]
