"""The protocols of planted scenarios and of foreign cards on hand-made payments."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from apps.build.evaluate.cases import foreign_cards
from apps.build.evaluate.cases.scenarios import caught, episodes
from apps.build.training.fraud import Budget, _thresholds
from apps.build.training.payments import Rows
from apps.data.generate.transactions import Fraud as Planted
from stormwatch.errors import SettingsError


def rows(*payments: tuple[int, int, int, Planted]) -> Rows:
    """Of (day, customer, terminal, label)."""
    day, customer, terminal, label = (np.array(column) for column in zip(*payments, strict=True))
    return Rows(np.zeros((len(day), 1)), label, day, customer, terminal)


def test_episodes_are_of_a_customer_or_a_terminal_and_end_with_a_gap() -> None:
    made = rows(
        (0, 1, 1, Planted.LEAKED), (3, 1, 2, Planted.LEAKED), (20, 1, 1, Planted.LEAKED),
        (0, 1, 7, Planted.MULE), (0, 2, 7, Planted.MULE), (0, 3, 8, Planted.MULE),
        (1, 1, 1, Planted.LARGE), (1, 1, 1, Planted.LARGE), (1, 1, 1, Planted.NONE),
    )  # fmt: skip
    assert episodes(made, Planted.LEAKED) == [[0, 1], [2]]
    assert episodes(made, Planted.MULE) == [[3, 4], [5]]
    assert episodes(made, Planted.LARGE) == [[6], [7]]
    alerted = [False, True, False, False, False, False, True, False, True]
    assert caught(made, alerted, Planted.LEAKED, 0, 10) == (1, 1, [1])
    assert caught(made, alerted, Planted.LEAKED, 0, 30).recall == 0.5
    assert caught(made, alerted, Planted.MULE, 0, 10) == (2, 0, [])
    assert caught(made, alerted, Planted.LARGE, 0, 10) == (2, 1, [0])


def test_thresholds_keep_the_budget() -> None:
    score = np.arange(1, 1_001) / 1_000
    label = np.where(np.arange(1_000) % 10 == 9, 1, 0)
    days = Rows(np.zeros((1_000, 1)), label, np.repeat([0, 1], 500), label, label)
    limits = _thresholds(score, days, Budget(reviews_a_day=20, genuine_declined=0.01))
    assert (score >= limits["review"]).sum() <= 40 < (score >= limits["review"] - 0.002).sum()
    declined = (score >= limits["decline"])[label == 0].sum()
    assert 0 < declined <= 9
    assert limits["review"] <= limits["decline"]


HEAD = (
    "card|lat|long|city_pop|trans_num|trans_date|trans_time|unix_time|category|amt|is_fraud|"
    "merchant|merch_lat|merch_long\n"
)


def test_foreign_payments_come_in_order_of_time_with_their_places(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "transactions_2_cards.csv.gz", "wt") as lines:
        lines.write(HEAD)
        lines.write("c2|40.1|-80.2|9|n1|2012-01-02|00:00:00|1325462400|food|12.34|1|m1|40.5|-81\n")
        lines.write("c1|40.1|-80.2|9|n1|2012-01-01|00:00:00|1325376000|food|0.001|0|m2|41.5|-82\n")
    made = list(foreign_cards.payments(tmp_path))
    (first, genuine), (second, fraud) = made
    assert (genuine, fraud) == (0, 1)
    assert (first.customer, first.amount, second.amount, second.currency) == ("c1", 1, 1234, "USD")
    assert first.id != second.id and second.time == 1_325_462_400_000
    assert second.more is not None and second.more.place == (40.5, -81.0)
    assert not second.more.category
    with pytest.raises(SettingsError, match="holds no transactions_"):
        list(foreign_cards.payments(tmp_path / "none"))
