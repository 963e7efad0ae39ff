"""The protocol of the card weeks on hand-made payments, with known answers."""

import numpy as np
import pytest

from apps.build.evaluate.cases.card_weeks import card_precision, payments_of_week, trained_on
from apps.build.training.payments import Core, Rows
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES

DAY = 86_400_000


def rows(*payments: tuple[int, int, int]) -> Rows:
    """Of (day, customer, label)."""
    day, customer, label = (np.array(column) for column in zip(*payments, strict=True))
    return Rows(np.zeros((len(day), 1)), label, day, customer, customer)


def test_known_cards_are_removed_from_each_day_by_what_is_known_by_then() -> None:
    made = rows(
        (5, 7, 1),  # before the training week: too long ago
        (6, 1, 1), (12, 2, 1),  # the training week, 6 to 12
        (13, 3, 1), (14, 4, 1),  # the delay, 13 to 19: known from 21 and 22 on
        (20, 1, 0), (20, 2, 0), (20, 3, 0), (20, 7, 0), (21, 3, 0), (21, 4, 0), (22, 4, 0),
        (26, 9, 1), (27, 9, 1),
    )  # fmt: skip
    at = payments_of_week(made, 20)
    left = [(int(made.day[n]), int(made.customer[n])) for n in at]
    assert left == [(20, 3), (20, 7), (21, 4), (26, 9)]


def test_training_ends_a_week_before_and_keeps_every_fraud() -> None:
    made = rows(*((day, day, 1) for day in range(40)), *((day, 99, 0) for day in range(40)))
    at = trained_on(made, 39, 28)
    days = made.day[at]
    assert sorted(days[made.label[at] == 1].tolist()) == list(range(4, 32))
    assert set(days.tolist()) <= set(range(4, 32))
    assert 0 < (made.label[at] == 0).sum() < 20


def test_card_precision_takes_cards_once_and_found_ones_leave() -> None:
    made = rows((1, 1, 1), (1, 2, 0), (1, 1, 0), (1, 3, 1), (2, 1, 1), (2, 2, 0), (2, 3, 1))
    score = np.array([0.2, 0.8, 0.9, 0.1, 0.99, 0.5, 0.4])
    # Day 1: cards 1 (0.9) and 2 (0.8) are looked at, 1 is found. Day 2: it has left; 2 and 3.
    assert card_precision(made, score, 2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert card_precision(made, score, 1) == pytest.approx((1 + 0) / 2)


def test_the_core_gives_a_label_out_after_its_delay_and_not_before() -> None:
    core = Core(delay_ms=7 * DAY)

    def known(day: float, n: int) -> tuple[float, float]:
        event = Transaction(f"t-{n}", "c", "p", int(20_000 * DAY + day * DAY), 1_000, "EUR")
        row = dict(zip(FEATURE_NAMES, core.row(event, fraud=n == 0), strict=True))
        return row["frauds_21d"], row["terminal_frauds"]

    seen = [known(day, n) for n, day in enumerate((0, 1, 6.9, 7.01, 8, 20.9, 22))]
    # The customer's from the arrival on, the terminal's from the hour after it.
    assert seen == [(0, 0), (0, 0), (0, 0), (1, 0), (1, 1), (1, 1), (0, 1)]
