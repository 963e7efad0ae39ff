"""Trains the fraud model: `./stormwatch train fraud`.

Boosted trees on the features of `stormwatch.domains.fraud.features`, computed by the very code that
the bolts run, in one pass over the payments in order of time, labels seven days late. First come
the days to train on, while customers are new and then known; then the days to choose the thresholds
on; then those to measure on. Without data the payments are our own generator's; with a folder of
the Fraud Detection Handbook's simulated transactions (transactions_*.csv.gz) they are those.

The thresholds follow from what is wanted of the model alone: so many payments reviewed a day, and
at most such a share of the genuine ones declined. The card tells the precision and recall that they
buy.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np

from apps.build.training import report
from apps.build.training.budget import GENUINE_DECLINED, REVIEW_SHARE, above
from apps.build.training.export import from_lightgbm, libraries, save
from apps.build.training.metrics import average_precision, precision_at_top, roc_auc
from apps.build.training.payments import Floats, Labelled, Rows, handbook, rows_of, simulated
from apps.data.generate.transactions import Fraud
from stormwatch.domains.fraud import Fraud as Domain
from stormwatch.domains.fraud import terminals
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.errors import SettingsError
from stormwatch.models import Card, load
from stormwatch.models.distribution import describe
from stormwatch.own_features import OwnFeatures

TRAIN, CHOOSE, TEST = 75, 15, 15
"""Days of each part, in this order of time."""
PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary", "num_iterations": 100, "learning_rate": 0.06, "num_leaves": 16,
    "min_child_samples": 40, "min_sum_hessian_in_leaf": 3.0, "feature_fraction": 0.6,
    "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "use_missing": "false",
    "deterministic": "true", "force_row_wise": "true", "num_threads": 1, "verbose": -1,
}  # fmt: skip


class Budget(NamedTuple):
    """What is wanted of the model alone."""

    reviews_a_day: float | None = None
    """Payments that people look at; None: REVIEW_SHARE of all payments."""
    genuine_declined: float = GENUINE_DECLINED
    """Share of the genuine payments that may be declined."""


LEAST_DAYS = 10
"""To learn from: before, no customer is known."""
LEAST_PAYMENTS = 3_000
"""To learn from, and to tell what is usual."""
GENUINE_ONE_IN = 3
"""Of the genuine payments so many one in is learned from, and counts for all: they are many."""
WITHOUT_TERMINALS = 0.15
"""Share of the customers in training whose payments are told nothing of terminals."""


def train_fraud(
    out: Path,
    seed: int,
    data: Path | None = None,
    *,
    customers: int = 5_000,
    budget: Budget | None = None,
    own: OwnFeatures | None = None,
    brought: Iterable[Labelled] | None = None,
) -> Card:
    """Train and write the model folder `out`; its card tells how good it is on later days.

    `own`: a user's features, beside the domain's. `brought`: their payments, read of `data`; with
    these a report with curves is written beside the card.

    Raises SettingsError where `data` holds no Handbook transactions, or too little to split.
    """
    budget = budget or Budget()
    days = TRAIN + CHOOSE + TEST
    if brought is not None and data is not None:
        source, words = iter(brought), f"payments of {data.name}"
    elif data is None:
        source = simulated(seed, customers, days)
        words = (
            f"{days} days of apps.data.generate.transactions, seed {seed}, {customers} customers; "
            "no public data: its licence is unclear"
        )
    else:
        source = handbook(data)
        words = "Fraud Detection Handbook, simulated transactions (Le Borgne et al.)"
    judge = Domain(own=own)
    names, feature_set = judge.feature_names, judge.feature_set
    rows = rows_of(source, judge=judge)
    parts = Parts() if brought is None else parts_of(rows)
    if rows.day[-1] < days - 1 and brought is None:
        raise SettingsError(f"{data} spans {rows.day[-1] + 1} days; training needs {days}.")
    _blank_terminals(rows, seed)
    train, choose = rows.between(0, parts.train), rows.between(parts.train, parts.choose)
    test = rows.between(parts.train + parts.choose, parts.test)
    fraud, every = train.label > 0, slice(None, None, GENUINE_ONE_IN)
    learned = fraud.copy()
    learned[every] = True
    weight = np.where(fraud[learned], 1.0, GENUINE_ONE_IN)
    booster = lightgbm.train(
        PARAMETERS | {"seed": seed},
        lightgbm.Dataset(train.features[learned], fraud[learned], weight=weight),
    )
    thresholds = _thresholds(np.asarray(booster.predict(choose.features)), choose, budget)
    score = np.asarray(booster.predict(test.features))
    card = save(
        out, from_lightgbm(booster, "logistic"), name="fraud", framework="LightGBM",
        target="probability of fraud", feature_set=feature_set, feature_names=names,
        thresholds=thresholds,
        split=(
            f"by time: {parts.train} days train from the first transaction on, {parts.choose} "
            f"choose thresholds, the last {parts.test} are measured ({len(test.label)} "
            f"transactions, {int((test.label > 0).sum())} frauds)"
        ),
        metrics=_metrics(score, test, thresholds),
        data=words, data_hash=_digest(rows), seed=seed, parameters=PARAMETERS,
        libraries=libraries(),
        distribution=describe(
            train.features[every], np.asarray(booster.predict(train.features[every])),
            Domain.settled, fraud[every],
        ),
        notes=(
            "recall_* count what is reviewed or declined by the model alone. A compromised "
            "terminal shows once labels of its frauds have come: not in its first week.",
            "precision_top_100: of each day's 100 highest scores, the share of frauds.",
            f"thresholds: {_words(budget)}",
        ),
    )  # fmt: skip
    if brought is not None:
        report.write(out, card, report.Measured(score, test.label > 0, test.day))
    return load(out, feature_set=feature_set, feature_names=names).card


class Parts(NamedTuple):
    """Days of each part, in this order of time."""

    train: int = TRAIN
    choose: int = CHOOSE
    test: int = TEST


def parts_of(rows: Rows) -> Parts:
    """Seven tenths of the days, and twice three twentieths. Raises SettingsError where there are
    too few days, or frauds in a part, to learn from or to judge by."""
    days = int(rows.day[-1]) + 1
    each = max(1, round(days * 0.15))
    parts = Parts(days - 2 * each, each, each)
    if parts.train < LEAST_DAYS:
        raise SettingsError(
            f"The payments span {days} days; {LEAST_DAYS + 4} are needed: {LEAST_DAYS} to learn "
            "from, two to choose thresholds on and two to measure on."
        )
    known = len(rows.between(0, parts.train).label)
    if known < LEAST_PAYMENTS:
        raise SettingsError(
            f"The {parts.train} days to learn from have {known:,} payments; {LEAST_PAYMENTS:,} are "
            "needed at least. Give more data."
        )
    first = 0
    for size, what, least in ((parts.train, "learn from", 30), (each, "choose thresholds on", 3),
                              (each, "measure on", 3)):  # fmt: skip
        there = int((rows.between(first, size).label > 0).sum())
        if there < least:
            raise SettingsError(
                f"The {size} days to {what} have {there} frauds; {least} are needed at least. Give "
                "more data."
            )
        first += size
    return parts


def _blank_terminals(rows: Rows, seed: int) -> None:
    """Of some customers nothing is known of terminals, in place: a model for those without too."""
    customers = np.random.default_rng(seed).random(int(rows.customer.max()) + 1)
    first = FEATURE_NAMES.index(terminals.NAMES[0])
    there = slice(first, first + len(terminals.NAMES))
    rows.features[customers[rows.customer] < WITHOUT_TERMINALS, there] = terminals.UNKNOWN


def _thresholds(score: Floats, choose: Rows, budget: Budget) -> dict[str, float]:
    """The scores from which the budget is kept on these days."""
    wanted = (
        REVIEW_SHARE
        if budget.reviews_a_day is None
        else (budget.reviews_a_day * len(np.unique(choose.day)) / len(score))
    )
    review = above(score, wanted)
    decline = above(score[choose.label == 0], budget.genuine_declined)
    return {"review": review, "decline": max(decline, review)}


def _metrics(score: Floats, test: Rows, thresholds: dict[str, float]) -> dict[str, float]:
    fraud = test.label > 0
    flagged, declined = score >= thresholds["review"], score >= thresholds["decline"]
    found = {
        f"recall_{kind.name.lower()}": flagged[test.label == kind].mean()
        for kind in Fraud
        if (test.label == kind).any() and kind and (test.label > 1).any()  # kinds are told
    }
    metrics = {
        "auc": roc_auc(score, fraud),
        "average_precision": average_precision(score, fraud),
        "precision_top_100": precision_at_top(score, fraud, test.day, 100),
        "fraud_share": fraud.mean(),
        "flagged_share": flagged.mean(),
        "flagged_precision": fraud[flagged].mean() if flagged.any() else 0.0,
        "flagged_a_day": flagged.sum() / len(np.unique(test.day)),
        "declined_precision": fraud[declined].mean() if declined.any() else 0.0,
        "declined_recall": declined[fraud].mean(),
        "genuine_declined_share": declined[~fraud].mean(),
        "recall": flagged[fraud].mean(),
        **found,
    }
    return {name: round(float(value), 4) for name, value in metrics.items()}


def _digest(rows: Rows) -> str:
    digest = sha256(rows.features.tobytes())
    digest.update(rows.label.tobytes())
    return digest.hexdigest()


def _words(budget: Budget) -> str:
    reviews = (
        f"{REVIEW_SHARE:.1%} of all payments"
        if budget.reviews_a_day is None
        else f"{budget.reviews_a_day:g} payments a day"
    )
    return (
        f"{reviews} reviewed, at most {budget.genuine_declined:.2%} of the genuine ones declined, "
        "on the days to choose"
    )
