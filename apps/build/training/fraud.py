"""Trains the fraud model: `./stormwatch train fraud`.

Boosted trees on the features of `stormwatch.domains.fraud.state`, computed by the very code that
the bolt runs, in one pass over the transactions in order of time. First come the days to train on,
while customers are new and then known; then the days to choose the thresholds on; then those to
measure on. Without data the transactions are our own generator's; with a folder of the Fraud
Detection Handbook's simulated transactions (transactions_*.csv.gz) they are those.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray

from apps.build.training.export import from_lightgbm, libraries, save
from apps.build.training.metrics import average_precision, precision_at_top, roc_auc
from apps.data.generate.transactions import DAY, START, Fraud, Transactions
from stormwatch.domains.fraud import Fraud as Domain
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import (
    FEATURE_NAMES,
    FEATURE_SET,
    CustomerState,
    advance,
    new_state,
)
from stormwatch.errors import SettingsError
from stormwatch.models import Card, load
from stormwatch.models.distribution import describe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labelled = tuple[Transaction, int]

TRAIN, CHOOSE, TEST = 75, 15, 15
"""Days of each part, in this order of time."""
REVIEW_SHARE, DECLINE_PRECISION = 0.006, 0.95
"""Thresholds: so many of the genuine are reviewed at most; so many of the declined are frauds."""
PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary", "num_iterations": 80, "learning_rate": 0.08, "num_leaves": 16,
    "min_child_samples": 60, "feature_fraction": 0.7, "bagging_fraction": 0.8, "bagging_freq": 1,
    "lambda_l2": 2.0, "use_missing": "false", "deterministic": "true", "force_row_wise": "true",
    "num_threads": 2, "verbose": -1,
}  # fmt: skip


class Rows(NamedTuple):
    """Feature rows in order of time."""

    features: Floats
    label: Ints  # 0 genuine, else which fraud
    day: Ints  # since the first transaction

    def between(self, first: int, days: int) -> "Rows":
        """Those of `days` days from `first` on."""
        kept = (self.day >= first) & (self.day < first + days)
        return Rows(self.features[kept], self.label[kept], self.day[kept])


def train_fraud(out: Path, seed: int, data: Path | None = None, *, customers: int = 5_000) -> Card:
    """Train and write the model folder `out`; its card tells how good it is on later days.

    Raises SettingsError where `data` holds no Handbook transactions.
    """
    days = TRAIN + CHOOSE + TEST
    if data is None:
        source = _simulated(seed, customers, days)
        words = (
            f"{days} days of apps.data.generate.transactions, seed {seed}, {customers} customers; "
            "no public data: its licence is unclear"
        )
    else:
        source = _handbook(data)
        words = "Fraud Detection Handbook, simulated transactions (Le Borgne et al.)"
    rows = _rows(source)
    if rows.day[-1] < days - 1:
        raise SettingsError(f"{data} spans {rows.day[-1] + 1} days; training needs {days}.")
    train, choose = rows.between(0, TRAIN), rows.between(TRAIN, CHOOSE)
    test = rows.between(TRAIN + CHOOSE, TEST)
    booster = lightgbm.train(
        PARAMETERS | {"seed": seed}, lightgbm.Dataset(train.features, train.label > 0)
    )
    thresholds = _thresholds(np.asarray(booster.predict(choose.features)), choose.label > 0)
    save(
        out, from_lightgbm(booster, "logistic"), name="fraud", framework="LightGBM",
        target="probability of fraud", feature_set=FEATURE_SET, feature_names=FEATURE_NAMES,
        thresholds=thresholds,
        split=(
            f"by time: {TRAIN} days train from the first transaction on, {CHOOSE} choose "
            f"thresholds, the last {TEST} are measured ({len(test.label)} transactions, "
            f"{int((test.label > 0).sum())} frauds)"
        ),
        metrics=_metrics(np.asarray(booster.predict(test.features)), test, thresholds),
        data=words, data_hash=_digest(rows), seed=seed, parameters=PARAMETERS,
        libraries=libraries(),
        distribution=describe(
            train.features, np.asarray(booster.predict(train.features)), Domain.settled
        ),
        notes=(
            "Sees the customer only: a fraud of a usual amount at a compromised terminal does "
            "not show. recall_* count what is reviewed or declined by the model alone.",
            "precision_top_100: of each day's 100 highest scores, the share of frauds.",
        ),
    )  # fmt: skip
    return load(out, feature_set=FEATURE_SET, feature_names=FEATURE_NAMES).card


def _thresholds(score: Floats, fraud: NDArray[np.bool_]) -> dict[str, float]:
    review = float(np.quantile(score[~fraud], 1 - REVIEW_SHARE))
    order = np.argsort(-score, kind="stable")
    precision = np.cumsum(fraud[order]) / np.arange(1, len(order) + 1)
    pure = np.flatnonzero(precision >= DECLINE_PRECISION)
    decline = float(score[order[pure[-1]]]) if len(pure) else 1.0
    return {"review": round(review, 6), "decline": round(max(decline, review), 6)}


def _metrics(score: Floats, test: Rows, thresholds: dict[str, float]) -> dict[str, float]:
    fraud = test.label > 0
    flagged, declined = score >= thresholds["review"], score >= thresholds["decline"]
    found = {
        f"recall_{kind.name.lower()}": flagged[test.label == kind].mean()
        for kind in Fraud
        if (test.label == kind).any() and kind
    }
    metrics = {
        "auc": roc_auc(score, fraud),
        "average_precision": average_precision(score, fraud),
        "precision_top_100": precision_at_top(score, fraud, test.day, 100),
        "fraud_share": fraud.mean(),
        "flagged_share": flagged.mean(),
        "flagged_precision": fraud[flagged].mean() if flagged.any() else 0.0,
        "declined_precision": fraud[declined].mean() if declined.any() else 0.0,
        "recall": flagged[fraud].mean(),
        **found,
    }
    return {name: round(float(value), 4) for name, value in metrics.items()}


def _rows(source: Iterable[Labelled]) -> Rows:
    states: dict[str, CustomerState] = defaultdict(new_state)
    features, labels, times = [], [], []
    for event, label in source:
        features.append(advance(states[event.customer], event)[0])
        labels.append(label)
        times.append(event.time)
    time = np.array(times)
    day = time // DAY - time[0] // DAY
    return Rows(np.array(features, dtype=np.float64), np.array(labels), day)


def _simulated(seed: int, customers: int, days: int) -> Iterator[Labelled]:
    source, number = Transactions(seed, run="train", customers=customers), count()
    while True:
        block = source.block()
        for time, customer, terminal, amount, label in zip(
            *(column.tolist() for column in block), strict=True
        ):
            if time >= START + days * DAY:
                return
            event = Transaction(
                str(next(number)), str(customer), str(terminal), time, amount, "EUR"
            )
            yield event, label


def _handbook(data: Path) -> Iterator[Labelled]:
    """`t` is in seconds since 2018-04-01, amounts in units with two decimals."""
    paths = sorted(data.glob("transactions_*.csv.gz"))
    if not paths:
        raise SettingsError(f"{data} holds no transactions_*.csv.gz of the Handbook's data.")
    first = 1_522_540_800_000
    for path in paths:
        with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
            for row in csv.DictReader(lines):
                cents = max(1, round(float(row["amount"]) * 100))
                time = first + int(row["t"]) * 1000
                event = Transaction(
                    row["tx_id"], row["customer"], row["terminal"], time, cents, "EUR"
                )
                yield event, int(row["scenario"])


def _digest(rows: Rows) -> str:
    digest = sha256(rows.features.tobytes())
    digest.update(rows.label.tobytes())
    return digest.hexdigest()
