"""Remaining life of C-MAPSS turbofans (Saxena, Goebel, Simon and Eklund, PHM 2008).

Of each set in the folder cmapss (train_FD001.txt, test_FD001.txt, RUL_FD001.txt and so on), a seed
at a time: the working conditions are found in the training settings, the learner of
`./stormwatch train maintenance` is fitted to all training engines, and it estimates the life of
each test engine at its last reading. Remaining lives are capped at 125 cycles in the training and
in the test labels. RMSE in cycles; NASA's score is the sum
over all test engines of exp(-d/13)-1 for early and exp(d/10)-1 for late estimates, d = estimate -
truth. The interval is calibrated on the training engines alone, each held out from the
model that estimates it; coverage and mean width are of the test engines' last readings, and
`anywhere` of all their readings from the 30th on. Everything that the learner may choose (features,
sizes, share of trees) was chosen on folds of training engines, never on test engines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.build.training.engines import Engine, cut_before_failure, engine, run_to_failure, sets
from apps.build.training.regimes import discover
from apps.build.training.remaining_life import (
    Cases,
    calibrated,
    covered,
    cross_validated,
    cut_evenly,
    estimator,
    fit,
    metrics,
)
from stormwatch.domains.maintenance.features import Normal
from stormwatch.errors import SettingsError

SEEDS = (1, 2, 3, 4, 5)
FIRST = 29
"""Readings of a unit before those that count `anywhere`."""
PUBLISHED = {
    "FD001": (10.97, 211.0), "FD002": (12.05, 841.0), "FD003": (8.30, 120.0),
}  # fmt: skip
"""The best of RMSE and score by named methods; many do not reproduce (docs/evaluate.md)."""
BASELINE = {"FD001": (10.18, 150.0), "FD002": (10.87, 557.0)}
"""Boosted trees and a network on plain one-pass features, in the same protocol."""
REACH = {"FD001": (10.2, 155.0)}


class Found(NamedTuple):
    """What came of one seed."""

    rmse: float
    score: float
    coverage: float
    width: float
    coverage_anywhere: float


def run(data: Path | None, say: Say) -> Sequence[Figure]:
    """Figures of each set that is there. Raises SettingsError where there is none."""
    assert data is not None
    names = [name for name in sets(data) if (data / f"RUL_{name}.txt").exists()]
    if not names:
        raise SettingsError(f"{data} has no whole C-MAPSS set: train_, test_ and RUL_FD001.txt.")
    return [each for name in names for each in _of_set(data, name, say)]


def _of_set(data: Path, name: str, say: Say) -> list[Figure]:
    units = run_to_failure(data, name)
    normal = Normal(discover(units))
    train = [engine(unit, normal) for unit in units]
    test = [engine(unit, normal) for unit in cut_before_failure(data, name)]
    say(f"{name}: {len(train)} and {len(test)} engines, {len(normal.known)} condition(s)")
    found = []
    for seed in SEEDS:
        found.append(measured(train, test, seed))
        say(f"{name}, seed {seed}: RMSE {found[-1].rmse:.2f}, score {found[-1].score:.0f}")
    published, baseline, reach = (
        each.get(name, (None, None)) for each in (PUBLISHED, BASELINE, REACH)
    )

    def of(metric: str, at: int, **more: float | None) -> Figure:
        return figure(f"{name} {metric}", [each[at] for each in found], **more)

    compared = [
        {"published": p, "baseline": b, "reach": r, "up": False}
        for p, b, r in zip(published, baseline, reach, strict=True)
    ]
    return [
        of("RMSE, cycles", 0, **compared[0]),
        of("NASA score", 1, **compared[1]),
        of("90 % interval, coverage", 2, reach=0.88 if name in REACH else None),
        of("90 % interval, mean width, cycles", 3, up=False, reach=30.0 if name in REACH else None),
        of("90 % interval, coverage anywhere", 4),
    ]


def measured(train: Sequence[Engine], test: Sequence[Engine], seed: int) -> Found:
    """One fit and its calibration, on the test engines."""
    interval = calibrated(cut_evenly(train, cross_validated(train, seed), seed), seed)
    estimate = estimator(fit(train, seed))
    last = Cases(
        estimate(np.array([each.rows[-1] for each in test])),
        np.array([each.life[-1] for each in test]),
    )
    late = [each for each in test if len(each.life) > FIRST]
    anywhere = Cases(
        estimate(np.vstack([each.rows[FIRST:] for each in late])),
        np.concatenate([each.life[FIRST:] for each in late]),
    )
    of_last = metrics(last)
    return Found(
        of_last["rmse"], of_last["nasa_score"] * len(test) / 100, *covered(interval, last),
        covered(interval, anywhere)[0],
    )  # fmt: skip


CASE = Case("turbofan", "maintenance", "Remaining life of C-MAPSS turbofans", "cmapss", run)
