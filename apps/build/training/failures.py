"""Trains the model of failures of a person's own machines: `./stormwatch train maintenance --data`.

Boosted trees on what their equipment type names. Split by unit and by time: the model is learned
from some units before a time, and measured on the others after it, so that it is judged as it will
be met, by machines and times that it does not know. With few units it is split by time alone.
Between the parts a stretch as long as the labels look ahead is left out.

The budget is of visits to all units: one is looked at once a day at most, however many of its
readings say so.
"""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np

from apps.build.training import report
from apps.build.training.budget import VISITS, WATCHED, above
from apps.build.training.export import from_lightgbm, libraries, save
from apps.build.training.metrics import average_precision, roc_auc
from apps.build.training.own_machines import HOUR_MS, Floats, Rows
from stormwatch.domains.maintenance.equipment import Equipment
from stormwatch.domains.maintenance.failures import feature_set
from stormwatch.errors import SettingsError
from stormwatch.features import names
from stormwatch.models import Card, load
from stormwatch.models.distribution import describe

PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary", "num_iterations": 120, "learning_rate": 0.06, "num_leaves": 12,
    "min_child_samples": 30, "feature_fraction": 0.7, "bagging_fraction": 0.8, "bagging_freq": 1,
    "lambda_l2": 2.0, "use_missing": "false", "deterministic": "true", "force_row_wise": "true",
    "num_threads": 1, "verbose": -1,
}  # fmt: skip
LEARNED = 0.7
"""Share of the units, and of the time, that is learned from."""
FEWEST_UNITS = 10
"""With fewer the split is by time alone."""
LEAST_ROWS, LEAST_FAILURES = 1_000, 8
"""To learn from."""


class Parts(NamedTuple):
    """What the model is learned from, what the thresholds are chosen on, what is measured."""

    train: Rows
    choose: Rows
    test: Rows
    words: str


def train_failures(
    out: Path, kind: Equipment, rows: Rows, data: str, seed: int = 7,
    visits_a_day: float | None = None, within_h: float = 0.0,
) -> Card:  # fmt: skip
    """Train and write the model folder `out` with its report. `rows` are of `data`, in words; with
    labels that look `within_h` hours ahead.

    Raises SettingsError where there is too little to learn from or to judge by.
    """
    parts = parts_of(rows, seed, within_h)
    train, choose, test = parts.train, parts.choose, parts.test
    booster = lightgbm.train(
        PARAMETERS | {"seed": seed},
        lightgbm.Dataset(train.features, train.failing.astype(float)),
    )
    units = rows.units_a_day
    share = VISITS if visits_a_day is None else visits_a_day / units
    thresholds = _thresholds(np.asarray(booster.predict(choose.features)), choose, share)
    score = np.asarray(booster.predict(test.features))
    wanted = names(kind.failure_features)
    ahead = f" within {within_h:g} hours" if within_h else ""
    card = save(
        out, from_lightgbm(booster, "logistic"), name=kind.name, framework="LightGBM",
        target=f"probability that the unit fails{ahead}", feature_set=feature_set(kind),
        feature_names=wanted, thresholds=thresholds, split=parts.words,
        metrics=_metrics(score, test, thresholds, units), data=data,
        data_hash=sha256(rows.features.tobytes() + rows.failing.tobytes()).hexdigest(), seed=seed,
        parameters=PARAMETERS, libraries=libraries(),
        distribution=describe(
            train.features, np.asarray(booster.predict(train.features)), rare=train.failing
        ),
        notes=(
            "auc and average_precision are of readings, service_* and watch_* of days of a unit: a "
            "unit is visited once a day at most. *_a_day: of the whole fleet; *_found: of the "
            "failures, told before.",
        ),
    )  # fmt: skip
    days = by_day(score, test)
    report.write(out, card, days._replace(things="days of a unit", frauds="days before a failure"))
    return load(out, feature_set=feature_set(kind), feature_names=wanted).card


def parts_of(rows: Rows, seed: int, within_h: float) -> Parts:
    """Raises SettingsError where a part has too little."""
    apart = int(within_h * HOUR_MS)
    first, last = int(rows.time[0]), int(rows.time[-1])
    cut = first + int((last - first) * LEARNED)
    units = np.random.default_rng(seed).permutation(int(rows.unit.max()) + 1)
    before, after = rows.time < cut - apart, rows.time >= cut
    if len(units) >= FEWEST_UNITS:
        known = units[: round(len(units) * LEARNED)]
        others = units[len(known) :]
        train = before & np.isin(rows.unit, known)
        choose = after & np.isin(rows.unit, others[::2])
        test = after & np.isin(rows.unit, others[1::2])
        how = (
            f"by unit and time: {len(known)} units before, {len(others[::2])} others after to "
            f"choose thresholds on, {len(others[1::2])} others after to measure on"
        )
    else:
        middle = cut + (last - cut) // 2
        train = before
        choose, test = after & (rows.time < middle - apart), rows.time >= middle
        how = f"by time alone, of {len(units)} units: before, then thresholds, then measured"
    parts = [rows.where(train), rows.where(choose), rows.where(test)]
    told = ", ".join(
        f"{len(one.failing):,} readings with {one.failure.max(initial=0)} failures" for one in parts
    )
    for one, least, what in zip(
        parts, (LEAST_FAILURES, 2, 2), ("learn from", "choose thresholds on", "measure on"),
        strict=True,
    ):  # fmt: skip
        if (there := one.failure.max(initial=0)) < least:
            raise SettingsError(
                f"There are {there} failures to {what}, and {least} are needed ({told}). "
                "Give more data, or more units."
            )
    if len(parts[0].failing) < LEAST_ROWS:
        raise SettingsError(
            f"There are {len(parts[0].failing)} readings to learn from, and {LEAST_ROWS:,} are "
            "needed. Give more data."
        )
    return Parts(parts[0], parts[1], parts[2], f"{how} ({told})")


def by_day(score: Floats, rows: Rows) -> report.Measured:
    """Of each unit and day the highest score, and whether a reading speaks of a failure."""
    keys, at = np.unique(np.column_stack([rows.day, rows.unit]), axis=0, return_inverse=True)
    at = at.reshape(-1)
    highest, failing = np.zeros(len(keys)), np.zeros(len(keys), dtype=np.bool_)
    np.maximum.at(highest, at, score)
    np.logical_or.at(failing, at, rows.failing)
    return report.Measured(highest, failing, keys[:, 0])


def _thresholds(score: Floats, choose: Rows, share: float) -> dict[str, float]:
    """The probabilities from which no greater share of these days of units is due for service."""
    days = by_day(score, choose)
    service = above(days.score, share)
    return {"service": service, "watch": min(service, above(days.score, WATCHED * share))}


def _metrics(
    score: Floats, test: Rows, thresholds: dict[str, float], units_a_day: float
) -> dict[str, float]:
    days, failure = by_day(score, test), test.failure
    found = {
        "auc": roc_auc(score, test.failing),
        "average_precision": average_precision(score, test.failing),
        "failing_share": test.failing.mean(),
    }
    for name, limit in thresholds.items():
        told = days.score >= limit
        found[f"{name}_a_day"] = told.mean() * units_a_day
        found[f"{name}_precision"] = days.fraud[told].mean() if told.any() else 0.0
        hits = set(failure[(score >= limit) & test.failing].tolist())
        found[f"{name}_found"] = len(hits) / failure.max()
    return {name: round(float(value), 4) for name, value in found.items()}
