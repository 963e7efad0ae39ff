"""Model and rules over a batch: from feature rows to verdicts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stormwatch.domain import Verdict
from stormwatch.errors import ModelError
from stormwatch.fraud.event import Transaction
from stormwatch.fraud.money import money
from stormwatch.fraud.rules import MONEY, SHIPPED, Rule, RuleSet
from stormwatch.fraud.state import FEATURE_NAMES
from stormwatch.models import Model, round6
from stormwatch.records import Reason

_COLUMN = {name: at for at, name in enumerate(FEATURE_NAMES)}
_MONEY = [name for name in FEATURE_NAMES if name.startswith(MONEY)]


class Scorer:
    """Scores batches with one model. Raises ModelError for a card without the two thresholds."""

    def __init__(self, model: Model, rules: RuleSet = SHIPPED) -> None:
        self._model = model
        self._rules = rules
        try:
            self._review = model.card.thresholds["review"]
            self._decline = model.card.thresholds["decline"]
        except KeyError as error:
            raise ModelError(
                f"The card of model {model.card.version} has no threshold {error}. "
                "Add it under `thresholds`, a probability, or train again: ./stormwatch train fraud"
            ) from error

    def __call__(
        self, events: Sequence[Transaction], features: Sequence[tuple[float, ...]]
    ) -> list[Verdict]:
        """One verdict a row. The score is the model's probability; rules add to the outcome."""
        rows = np.array(features, dtype=np.float64)
        scores = [round6(score) for score in self._model.predict(rows)]
        verdicts = [Verdict("approve", score, ()) for score in scores]
        fired = [(rule, _fires(rule, rows)) for rule in self._rules.rules]
        weights = sum((rule.weight * hits for rule, hits in fired), np.zeros(len(rows)))
        suspect = (np.array(scores) >= self._review) | (weights >= self._rules.review_from)
        for row in np.flatnonzero(suspect).tolist():
            rules = [rule for rule, hits in fired if hits[row]]
            declined = scores[row] >= self._decline or weights[row] >= self._rules.decline_from
            reasons = self._reasons(events[row], features[row], scores[row], rules)
            verdicts[row] = Verdict("decline" if declined else "review", scores[row], reasons)
        return verdicts

    def _reasons(
        self, event: Transaction, features: tuple[float, ...], score: float, rules: list[Rule]
    ) -> tuple[Reason, ...]:
        words: dict[str, float | str] = dict(zip(FEATURE_NAMES, features, strict=True))
        words |= {name: money(int(features[_COLUMN[name]]), event.currency) for name in _MONEY}
        reasons = [Reason(rule.code, rule.text.format_map(words), rule.weight) for rule in rules]
        if score >= self._review:
            limit = self._decline if score >= self._decline else self._review
            text = (
                "the model gives a fraud probability of {score:.1%} (limit {limit:.1%}): {amount} "
                "against a mean of {mean_30d} over {count_30d:.0f} transactions in 30 days, "
                "{count_1h:.0f} transactions in the hour before"
            )
            reasons.append(
                Reason("model", text.format_map(words | {"score": score, "limit": limit}), score)
            )
        return tuple(reasons)


def _fires(rule: Rule, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of each row whether all conditions of the rule hold."""
    hits = np.ones(len(rows), dtype=np.bool_)
    for feature, op, value in rule.conditions:
        column = rows[:, _COLUMN[feature]]
        hits &= column <= value if op == "<=" else column >= value
    return hits
