"""Trains the remaining-life model: `./stormwatch train maintenance`.

Gradient-boosted regression trees on the features of `stormwatch.domains.maintenance.features`,
computed by the very code that the bolt runs. Target: cycles left, capped at LIFE_CAP, the usual
convention. Without data the engines are our own simulator's; with a folder of C-MAPSS text
(train_FD001.txt, test_FD001.txt, RUL_FD001.txt) they are NASA's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray

from apps.build.training.export import from_lightgbm, libraries, save
from apps.data.generate.readings import HOUR, LIFE, START, readings
from stormwatch.domains.maintenance.domain import LIFE_CAP
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import FEATURE_SET, MODEL_FEATURES, advance
from stormwatch.domains.maintenance.parse import parse
from stormwatch.domains.maintenance.sensors import ALL
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import SettingsError
from stormwatch.models import Card, load
from stormwatch.models.distribution import describe
from stormwatch.records import Rejection

Floats = NDArray[np.float64]

ENGINES = 240
"""Simulated engines, a third of them held out."""
HELD_OUT = 3
"""One engine in so many is held out."""
CUTS = 5
"""Random cycles (from the 30th on) at which the life of a held-out engine is estimated."""
PARAMETERS: dict[str, float | int | str] = {
    "objective": "regression", "num_iterations": 300, "learning_rate": 0.04, "num_leaves": 16,
    "min_child_samples": 40, "feature_fraction": 0.4, "bagging_fraction": 0.7, "bagging_freq": 1,
    "lambda_l2": 5.0, "use_missing": "false", "deterministic": "true", "force_row_wise": "true",
    "num_threads": 2, "verbose": -1,
}  # fmt: skip


class Engine(NamedTuple):
    """The features of each cycle of one engine, and the label."""

    rows: Floats
    life: Floats  # cycles left, capped


def train_maintenance(out: Path, seed: int, data: Path | None = None) -> Card:
    """Train and write the model folder `out`; its card tells how good it is on held-out engines.

    Raises SettingsError where `data` is not a folder of C-MAPSS text.
    """
    if data is None:
        engines = list(_simulated(seed, ENGINES))
        words = f"{ENGINES} engines of apps.data.generate.readings, seed {seed}"
    else:
        engines = list(_run_to_failure(_table(data / "train_FD001.txt", 26)))
        words = "C-MAPSS FD001 (Saxena, Goebel, Simon, Eklund, PHM 2008), train_FD001.txt"
    held, kept = engines[::HELD_OUT], [e for i, e in enumerate(engines) if i % HELD_OUT]
    metrics = _metrics(*_cuts(held, _fit(kept, seed), seed))
    booster = _fit(kept if data is None else engines, seed)
    split = f"{len(held)} held-out engines, each cut at {CUTS} random cycles >= 30"
    if data is not None:
        test, truth = _test(data)
        for name, value in _metrics(booster.predict(test), truth).items():
            metrics[f"fd001_test_{name}"] = value
        split += " (model of the other engines); fd001_test: the 100 test engines, last row"
    save(
        out, from_lightgbm(booster, "identity"), name="maintenance", framework="LightGBM",
        target=f"remaining life, operating cycles, capped at {LIFE_CAP:g}",
        feature_set=FEATURE_SET, feature_names=MODEL_FEATURES,
        thresholds={"service": 20.0, "watch": 50.0}, split=split, metrics=metrics, data=words,
        data_hash=_digest(engines), seed=seed, parameters=PARAMETERS, libraries=libraries(),
        distribution=_described(engines, booster),
        notes=(
            f"nasa_score: mean over estimates x 100, d = estimate - truth, exp(-d/13)-1 or "
            f"exp(d/10)-1; truth capped at {LIFE_CAP:g} as in training.",
            "Knows one kind of engine at one flight condition; train again for others.",
        ),
    )  # fmt: skip
    return load(out, feature_set=FEATURE_SET, feature_names=MODEL_FEATURES).card


def _described(engines: Sequence[Engine], booster: lightgbm.Booster) -> bytes:
    rows = np.vstack([engine.rows for engine in engines])
    return describe(rows, np.asarray(booster.predict(rows)))


def _fit(engines: Sequence[Engine], seed: int) -> lightgbm.Booster:
    rows = np.vstack([engine.rows for engine in engines])
    life = np.concatenate([engine.life for engine in engines])
    return lightgbm.train(PARAMETERS | {"seed": seed}, lightgbm.Dataset(rows, life))


def _cuts(engines: Sequence[Engine], booster: lightgbm.Booster, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    picks = [rng.integers(29, len(engine.life), CUTS) for engine in engines]
    rows = np.vstack([engine.rows[pick] for engine, pick in zip(engines, picks, strict=True)])
    truth = [engine.life[pick] for engine, pick in zip(engines, picks, strict=True)]
    return np.asarray(booster.predict(rows)), np.concatenate(truth)


def _metrics(estimate: Floats, truth: Floats) -> dict[str, float]:
    d = np.clip(estimate, 0, LIFE_CAP) - truth
    nasa = np.where(d < 0, np.expm1(-d / 13), np.expm1(d / 10))
    return {
        "rmse": round(float(np.sqrt(np.mean(d**2))), 3),
        "nasa_score": round(float(nasa.mean() * 100), 1),
    }


def _features(unit: Iterable[Reading]) -> Floats:
    state = UnitState()
    rows = [advance(state, reading)[: len(MODEL_FEATURES)] for reading in unit]
    return np.array(rows)


def _simulated(seed: int, count: int) -> Iterator[Engine]:
    """The first `count` engines of a fleet, each to its failure."""
    units = defaultdict(list)
    for made in readings(seed, units=count):
        reading = parse(made.value, START + LIFE[1] * HOUR, future_skew_ms=HOUR)
        if isinstance(reading, Rejection):
            raise AssertionError(f"the simulator made what parse rejects: {reading.reason}")
        if reading.time >= START + LIFE[1] * HOUR:
            break
        if int(reading.unit.rpartition("/")[2]) <= count:
            units[reading.unit].append((reading, made.life))
    for unit in units.values():
        life = np.minimum([left for _, left in unit], LIFE_CAP)
        yield Engine(_features(reading for reading, _ in unit), life.astype(float))


def _run_to_failure(table: Floats) -> Iterator[Engine]:
    for unit in _units(table):
        rows = _features(unit)
        yield Engine(rows, np.minimum(np.arange(len(rows))[::-1], LIFE_CAP).astype(float))


def _test(data: Path) -> tuple[Floats, Floats]:
    """The last row of each test engine and its true remaining life."""
    rows = [_features(unit)[-1] for unit in _units(_table(data / "test_FD001.txt", 26))]
    truth = _table(data / "RUL_FD001.txt", 1).ravel()
    return np.array(rows), np.minimum(truth, LIFE_CAP)


def _units(table: Floats) -> Iterator[list[Reading]]:
    names = [sensor.name for sensor in ALL]
    for number in np.unique(table[:, 0]):
        yield [
            Reading(
                f"{row[0]:.0f}-{row[1]:.0f}", f"FD001/train/{row[0]:.0f}",
                START + int(row[1]) * HOUR, int(row[1]), tuple(row[2:5]),
                dict(zip(names, row[5:], strict=True)),
            )
            for row in table[table[:, 0] == number].tolist()
        ]  # fmt: skip


def _table(path: Path, columns: int) -> Floats:
    try:
        table: Floats = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as C-MAPSS text: {error}") from error
    if table.shape[1] != columns:
        raise SettingsError(f"{path} has {table.shape[1]} columns; C-MAPSS text has {columns}.")
    return table


def _digest(engines: Sequence[Engine]) -> str:
    digest = sha256()
    for engine in engines:
        digest.update(engine.rows.tobytes() + engine.life.tobytes())
    return digest.hexdigest()
