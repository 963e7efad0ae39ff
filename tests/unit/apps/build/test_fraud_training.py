"""Training of the fraud model: reproducible from the seed, measured on later days."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.build.training.fraud import train_fraud
from apps.build.training.metrics import average_precision, precision_at_top, roc_auc
from stormwatch.domains.fraud import Fraud
from stormwatch.errors import SettingsError

RANKED = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=60).filter(
    lambda pairs: len({positive for _, positive in pairs}) == 2
)


@given(RANKED)
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    score, positive = (np.array(column) for column in zip(*pairs, strict=True))
    wins = [(a > b) + (a == b) / 2 for a, p in pairs if p for b, q in pairs if not q]
    assert roc_auc(score.astype(float), positive) == pytest.approx(np.mean(wins))


@given(RANKED)
def test_average_precision_is_precision_over_the_recall_won(pairs: list[tuple[int, bool]]) -> None:
    score, positive = (np.array(column) for column in zip(*pairs, strict=True))
    total = 0.0
    for limit in np.unique(score):
        won = positive[score == limit].sum() / positive.sum()
        total += won * positive[score >= limit].mean()
    assert average_precision(score.astype(float), positive) == pytest.approx(total)


def test_precision_at_the_top_of_each_day() -> None:
    score = np.array([0.9, 0.8, 0.1, 0.2, 0.7])
    positive = np.array([True, False, True, True, False])
    day = np.array([0, 0, 0, 1, 1])
    assert precision_at_top(score, positive, day, 1) == 0.5
    assert precision_at_top(score, positive, day, 2) == 0.5


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    one = train_fraud(tmp_path / "one", 3, customers=60)
    two = train_fraud(tmp_path / "two", 3, customers=60)
    assert one == two
    assert one.version != train_fraud(tmp_path / "three", 4, customers=60).version
    assert "the last 15 are measured" in one.split
    assert 0 < one.thresholds["review"] <= one.thresholds["decline"] <= 1
    assert Fraud(tmp_path / "one").model_version == one.version


def test_the_handbooks_transactions_can_be_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with gzip.open(tmp_path / "transactions_2018-04.csv.gz", "wt") as lines:
        lines.write("tx_id,t,customer,terminal,amount,fraud,scenario\n")
        for i, t in enumerate(np.sort(rng.integers(0, 106 * 86_400, 8000)).tolist()):
            fraud = int(rng.random() < 0.05)
            amount = rng.uniform(200, 400) if fraud else rng.uniform(0, 210)
            lines.write(f"{i},{t},{i % 40},{i % 90},{amount:.2f},{fraud},{fraud}\n")
    card = train_fraud(tmp_path / "out", 1, tmp_path)
    assert card.data.startswith("Fraud Detection Handbook")
    assert card.metrics["auc"] > 0.95


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no transactions_"):
        train_fraud(tmp_path / "out", 1, tmp_path)
