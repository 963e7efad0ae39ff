"""Of a payment unlike those that the model was trained on it decides nothing alone."""

import msgspec
import numpy as np

from stormwatch.domains.fraud import rates
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.domains.fraud.rules import shipped
from stormwatch.domains.fraud.scoring import Scorer
from stormwatch.models import NoModel
from stormwatch.models.card import Card
from stormwatch.models.distribution import describe
from stormwatch.records import OUT_OF_DISTRIBUTION

RULES, RATES = shipped(FEATURE_NAMES), rates.shipped()
EVENT = Transaction("1", "c", "t", 0, 1_000, "EUR")


class Certain:
    """A model that takes every payment for a fraud."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        rows = rng.integers(1, 20, (5_000, len(FEATURE_NAMES))).astype(float)
        self.card: Card = msgspec.structs.replace(
            NoModel.card, version="certain-1", feature_names=FEATURE_NAMES,
            thresholds={"review": 0.5, "decline": 0.9}, distribution=describe(rows, rows[:, 0]),
        )  # fmt: skip

    def predict(self, rows: object) -> list[float]:
        return [0.99] * len(rows)  # type: ignore[arg-type]


def row(**changed: float) -> tuple[float, ...]:
    """Within the range of the training rows, but for what is changed."""
    return tuple(changed.get(name, 10.0) for name in FEATURE_NAMES)


def test_a_payment_like_those_of_the_training_is_declined_by_the_model() -> None:
    (verdict,) = Scorer(Certain(), RULES, RATES)([EVENT], [row()], ["EUR"])
    assert (verdict.outcome, verdict.noted) == ("decline", "")


def test_one_unlike_them_is_left_to_the_rules_and_says_by_what() -> None:
    (verdict,) = Scorer(Certain(), RULES, RATES)([EVENT], [row(seen=5_000.0)], ["EUR"])
    assert (verdict.outcome, verdict.score, verdict.noted) == (
        "approve", 0.99, OUT_OF_DISTRIBUTION,
    )  # fmt: skip
    (reason,) = verdict.reasons
    assert reason.code == OUT_OF_DISTRIBUTION
    assert "seen: 5,000, in training 1 to 19" in reason.text


def test_rules_decide_of_it_as_where_there_is_no_model() -> None:
    far = row(amount=50_000.0)
    (verdict,) = Scorer(Certain(), RULES, RATES)([EVENT], [far], ["EUR"])
    (by_rules,) = Scorer(NoModel(), RULES, RATES)([EVENT], [far], ["EUR"])
    assert verdict.outcome == by_rules.outcome == "review"
    assert verdict.reasons[:-1] == by_rules.reasons
    assert verdict.reasons[-1].code == OUT_OF_DISTRIBUTION


def test_where_the_model_has_no_score_nothing_is_held_back() -> None:
    class Silent(Certain):
        def predict(self, rows: object) -> list[float]:
            return [float("nan")] * len(rows)  # type: ignore[arg-type]

    (verdict,) = Scorer(Silent(), RULES, RATES)([EVENT], [row(seen=5_000.0)], ["EUR"])
    assert (verdict.degraded, verdict.noted, verdict.reasons) == (True, "", ())
