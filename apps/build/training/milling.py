"""Trains the model of a milling machine's failures: `./stormwatch train milling`.

Boosted trees on the features that the equipment type `milling` declares, computed by the very code
that the bolt runs. Each of these rises with the danger, and the model is held to that (monotone
constraints), so that it orders what it has seen little of as well. The readings are our own
simulator's.
"""

from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from apps.build.training.export import from_lightgbm, libraries, save
from apps.build.training.metrics import average_precision
from apps.data.generate.milling import products
from stormwatch.domains.maintenance.equipment import shipped
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.failures import Failures, feature_set
from stormwatch.domains.maintenance.parse import parse
from stormwatch.features import names
from stormwatch.models import Card, NoModel, load
from stormwatch.models.distribution import describe

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

KIND = shipped("milling")
NAMES = names(KIND.failure_features)
PRODUCTS, HELD_OUT = 40_000, 10_000
"""Generated products; the last of them are held out."""
SERVICE, WATCH = 0.5, 0.1
"""Probabilities from which a machine is due for service or watched."""
PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary", "num_iterations": 60, "learning_rate": 0.1, "num_leaves": 8,
    "min_child_samples": 5, "lambda_l2": 1.0, "use_missing": "false", "deterministic": "true",
    "force_row_wise": "true", "monotone_constraints_method": "advanced", "num_threads": 1,
    "verbose": -1,
}  # fmt: skip


def train_milling(out: Path, seed: int) -> Card:
    """Train and write the model folder `out`; its card tells how good it is on later products."""
    rows, failed = _generated(seed)
    cut = PRODUCTS - HELD_OUT
    held = fit(rows[:cut], failed[:cut], seed)
    metrics = measured(np.asarray(held.predict(rows[cut:])), failed[cut:])
    booster = fit(rows, failed, seed)
    digest = sha256(rows.tobytes() + failed.tobytes()).hexdigest()
    save(
        out, from_lightgbm(booster, "logistic"), name="milling", framework="LightGBM",
        target="probability that the product fails", feature_set=feature_set(KIND),
        feature_names=NAMES, thresholds={"service": SERVICE, "watch": WATCH},
        split=f"the last {HELD_OUT:,} products, by a model of those before", metrics=metrics,
        data=f"{PRODUCTS:,} products of apps.data.generate.milling, seed {seed}",
        data_hash=digest, seed=seed, parameters=PARAMETERS, libraries=libraries(),
        notes=(
            "The limits in its features are those that the description of AI4I 2020 gives: they "
            "know how that set, and the generator's products, were simulated.",
        ),
        distribution=describe(rows, np.asarray(booster.predict(rows)), rare=failed),
    )  # fmt: skip
    return load(out, feature_set=feature_set(KIND), feature_names=NAMES).card


def fit(rows: Floats, failed: Flags, seed: int, *, is_rising: bool = True) -> Any:
    """A booster; `is_rising`: the danger rises with each column, as it does with those of NAMES."""
    rising = {"monotone_constraints": [int(is_rising)] * rows.shape[1]}
    return lightgbm.train(
        PARAMETERS | rising | {"seed": seed}, lightgbm.Dataset(rows, failed.astype(float))
    )


def measured(p: Floats, failed: Flags) -> dict[str, float]:
    """F1 of the failures at SERVICE, and their average precision."""
    told = np.round(p, 6) >= SERVICE
    hits = int((told & failed).sum())
    f1 = 2 * hits / max(1, int(told.sum()) + int(failed.sum()))
    return {"f1": round(f1, 4), "average_precision": round(average_precision(p, failed), 4)}


def _generated(seed: int) -> tuple[Floats, Flags]:
    judge = Failures(KIND, NoModel())
    rows, failed = [], []
    for made in islice(products(seed), PRODUCTS):
        reading = parse(made.value, 1 << 50, future_skew_ms=0)
        assert isinstance(reading, Reading), reading
        seen = judge.look(b"", reading.sensors)
        assert seen is not None
        rows.append(seen.row)
        failed.append(bool(made.modes))
    return np.array(rows), np.array(failed)
