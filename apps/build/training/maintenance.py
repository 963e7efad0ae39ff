"""Trains the remaining-life model: `./stormwatch train maintenance`.

Boosted trees and small networks on the features of `stormwatch.domains.maintenance.features`, each
sensor taken from what is normal in the working condition of its reading; the conditions are found
in the settings of the training's readings. Target: cycles left, capped at LIFE_CAP. Without data
the engines are our own simulator's; with a folder of C-MAPSS text (train_FD001.txt and so on) they
are NASA's.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.build.training import engines as read
from apps.build.training.engines import LIFE_CAP, Engine, Floats, Unit
from apps.build.training.export import libraries, save_blend
from apps.build.training.regimes import discover
from apps.build.training.remaining_life import (
    BATCH,
    CUTS,
    DECAY,
    EARLY,
    EPOCHS,
    FOLDS,
    HIDDEN,
    NETWORKS,
    RATE,
    SHARE,
    TREES,
    Cases,
    calibrated,
    covered,
    cross_validated,
    cut,
    cut_evenly,
    estimator,
    fit,
    metrics,
)
from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import fleet
from stormwatch.domains.maintenance.features import FEATURE_SET, MODEL_FEATURES, Normal
from stormwatch.errors import SettingsError
from stormwatch.models import Card, load
from stormwatch.models.conditions import Conditions
from stormwatch.models.distribution import Lives, describe
from stormwatch.models.interval import Interval
from stormwatch.models.networks import Blend

ENGINES = 120
"""Simulated engines."""
SERVICE = 20.0
"""Cycles left from which down a unit is due for service."""


def train_maintenance(out: Path, seed: int, data: Path | None = None, chosen: str = "") -> Card:
    """Train and write the model folder `out`; its card tells how good it is on held-out engines.

    `chosen`: of several C-MAPSS sets in `data`; "": the first. Raises SettingsError where it is not
    there.
    """
    test: list[Unit] = []
    if data is None:
        units = read.simulated(readings(seed, units=ENGINES), ENGINES)
        name, words = "", f"{ENGINES} engines of apps.data.generate.readings, seed {seed}"
    else:
        name = _one_of(data, chosen)
        units = read.run_to_failure(data, name)
        words = f"C-MAPSS {name} (Saxena, Goebel, Simon, Eklund, PHM 2008), train_{name}.txt"
        if (data / f"test_{name}.txt").exists():
            test = read.cut_before_failure(data, name)
    conditions = discover(units)
    normal = Normal(conditions)
    known = [read.engine(unit, normal) for unit in units]
    estimates = cross_validated(known, seed)
    cases = cut(known, estimates, seed)
    interval = calibrated(cut_evenly(known, estimates, seed), seed)
    measured = metrics(cases) | _covered(interval, cases)
    blend = fit(known, seed)
    split = (
        f"engines in {FOLDS} folds, each by a model of the others, at {CUTS} random cycles >= 30"
    )
    if test:
        found = last_rows([read.engine(unit, normal) for unit in test], blend)
        of_test = metrics(found) | _covered(interval, found)
        measured |= {f"{name.lower()}_test_{key}": value for key, value in of_test.items()}
        split += f"; {name.lower()}_test: the {len(test)} test engines, last row"
    return _saved(out, seed, known, blend, conditions, interval, split, measured, words)


def last_rows(engines: Sequence[Engine], blend: Blend) -> Cases:
    """Estimates of engines at their last row."""
    rows = np.array([engine.rows[-1] for engine in engines])
    return Cases(estimator(blend)(rows), np.array([engine.life[-1] for engine in engines]))


def lives(engines: Sequence[Engine], scores: Floats) -> Lives:
    """What a fleet is compared with: by engine, at the ages that count."""
    phase = [
        each
        for engine in engines
        for each in fleet.phases_of(np.arange(1, len(engine.rows) + 1), engine.rows[:, fleet.AGE])
    ]
    return Lives(phase, scores <= SERVICE)


def _covered(interval: Interval, cases: Cases) -> dict[str, float]:
    share, width = covered(interval, cases)
    return {"coverage": round(share, 4), "width": round(width, 2)}


def _one_of(data: Path, chosen: str) -> str:
    found = read.sets(data)
    if not found:
        raise SettingsError(
            f"{data} has no C-MAPSS set: no file train_FD001.txt, or of another such name."
        )
    if chosen and chosen not in found:
        raise SettingsError(f"{data} has no C-MAPSS set {chosen!r}; there are {', '.join(found)}.")
    return chosen or found[0]


def _saved(
    out: Path, seed: int, known: Sequence[Engine], blend: Blend, conditions: Conditions,
    interval: Interval, split: str, measured: dict[str, float], words: str,
) -> Card:  # fmt: skip
    rows = np.vstack([engine.rows for engine in known])
    scores = estimator(blend)(rows)
    save_blend(
        out, blend, name="maintenance", framework="LightGBM and scikit-learn",
        target=f"remaining life, operating cycles, capped at {LIFE_CAP:g}",
        feature_set=FEATURE_SET, feature_names=MODEL_FEATURES,
        thresholds={"service": SERVICE, "watch": 50.0}, split=split, metrics=measured, data=words,
        data_hash=read.digest(known), seed=seed,
        parameters=TREES | {
            "networks": NETWORKS, "hidden": "-".join(map(str, HIDDEN)), "epochs": EPOCHS,
            "batch": BATCH, "rate": RATE, "decay": DECAY, "share_of_trees": SHARE, "early": EARLY,
        },
        libraries=libraries(("lightgbm", "scikit-learn", "numpy")),
        distribution=describe(rows, scores, lives=lives(known, scores)),
        conditions=conditions, interval=interval,
        notes=(
            f"nasa_score: mean over estimates x 100, d = estimate - truth, exp(-d/13)-1 or "
            f"exp(d/10)-1; truth capped at {LIFE_CAP:g} as in training.",
            f"Knows {len(conditions.known)} working condition(s); in others it gives no estimate.",
            "The interval is calibrated on engines like these; width: cycles.",
        ),
    )  # fmt: skip
    return load(out, feature_set=FEATURE_SET, feature_names=MODEL_FEATURES).card
