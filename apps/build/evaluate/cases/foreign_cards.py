"""Card payments of another simulator (Sparkov, 80 cards): by the shipped model, and refitted.

Protocol: all payments in order of time, through the code of the bolts, with the terminals' and
customers' places but without the categories, whose mix drifts; labels seven days late.

As shipped: the share of the genuine payments that are declined and that are alerted (reviewed or
declined), by the model and the shipped rules, each card's first days included.
Refitted: the cards in five parts; a model is trained on the features of four and
scores the fifth; average precision of each part.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightgbm
import numpy as np

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.build.evaluate.cases.card_weeks import PARAMETERS
from apps.build.training.metrics import average_precision, roc_auc
from apps.build.training.payments import Core, Labelled
from stormwatch.domains.fraud import ALERT_OUTCOMES, Fraud
from stormwatch.domains.fraud.event import Details, Transaction
from stormwatch.errors import SettingsError

PARTS, ROUNDS = 5, 200
AT_ONCE = 500


def payments(data: Path) -> Iterator[Labelled]:
    """In order of time; ids that repeat get a number behind. Raises SettingsError."""
    paths = sorted(data.glob("transactions_*.csv.gz"))
    if not paths:
        raise SettingsError(f"{data} holds no transactions_*.csv.gz of Sparkov's cards.")
    with gzip.open(paths[0], "rt", encoding="utf-8", newline="") as lines:
        rows = sorted(csv.DictReader(lines, delimiter="|"), key=lambda row: int(row["unix_time"]))
    for number, row in enumerate(rows):
        more = Details(
            place=(float(row["merch_lat"]), float(row["merch_long"])),
            customer_place=(float(row["lat"]), float(row["long"])),
        )
        cents = max(1, round(float(row["amt"]) * 100))
        event = Transaction(
            f"{row['trans_num']}-{number}", row["card"], row["merchant"],
            int(row["unix_time"]) * 1000, cents, "USD", country="US", more=more,
        )  # fmt: skip
        yield event, int(row["is_fraud"])


def run(data: Path | None, say: Say) -> Sequence[Figure]:
    """See the module's text."""
    assert data is not None
    shipped = Fraud.load()
    core, made = Core(judge=shipped), list(payments(data))
    done = [core.advance(event, fraud=label > 0) for event, label in made]
    say(f"features of {len(made):,} payments")
    outcomes = list[str]()
    for start in range(0, len(made), AT_ONCE):
        events = [event for event, _ in made[start : start + AT_ONCE]]
        features, carries = zip(*done[start : start + AT_ONCE], strict=True)
        outcomes += [one.outcome for one in shipped.decide(events, features, carries)]
    rows = np.array([features for features, _ in done])
    fraud = np.array([label > 0 for _, label in made])
    numbers = dict[str, int]()
    card = np.array([numbers.setdefault(event.customer, len(numbers)) for event, _ in made])
    declined = np.array([outcome == "decline" for outcome in outcomes])
    alerted = np.array([outcome in ALERT_OUTCOMES for outcome in outcomes])
    score = np.array(shipped.model.predict(rows))
    parts = np.random.default_rng(0).permutation(len(numbers)) % PARTS
    aps, aucs = list[float](), list[float]()
    for part in range(PARTS):
        test = parts[card] == part
        given = lightgbm.Dataset(rows[~test], fraud[~test])
        found = np.asarray(lightgbm.train(PARAMETERS, given, ROUNDS).predict(rows[test]))
        aps.append(average_precision(found, fraud[test]))
        aucs.append(roc_auc(found, fraud[test]))
    return [
        figure(
            "as shipped: genuine declined", [float(declined[~fraud].mean())], baseline=0.084,
            reach=0.001, up=False,
        ),
        figure(
            "as shipped: genuine alerted", [float(alerted[~fraud].mean())], baseline=0.17,
            reach=0.01, up=False,
        ),
        figure("as shipped: frauds alerted", [float(alerted[fraud].mean())]),
        figure("as shipped: ROC AUC of the model", [roc_auc(score, fraud)], baseline=0.934),
        figure("refitted: average precision", aps, baseline=0.920, reach=0.90),
        figure("refitted: ROC AUC", aucs, baseline=0.998, published=0.998),
    ]  # fmt: skip


CASE = Case(
    "foreign-cards", "fraud", "Card payments of another simulator, as shipped and refitted",
    "sparkov", run,
)  # fmt: skip
