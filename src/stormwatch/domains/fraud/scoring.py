"""Model and rules over a batch: from feature rows to verdicts."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.money import is_common, money, of_points, points
from stormwatch.domains.fraud.rules import MONEY, SHIPPED, Rule, RuleSet, words
from stormwatch.domains.fraud.state import FEATURE_NAMES
from stormwatch.errors import ModelError
from stormwatch.models import NONE, Card, Model, scores
from stormwatch.records import Reason
from stormwatch.state.judge import UNSCORED, Verdict

_COLUMN = {name: at for at, name in enumerate(FEATURE_NAMES)}
_UNSCORED = Verdict("approve", UNSCORED, (), degraded=True)
_MONEY = [name for name in FEATURE_NAMES if name.startswith(MONEY)]


class Thresholds(NamedTuple):
    """Scores from which the model alone has a transaction reviewed or declined."""

    review: float
    decline: float

    @classmethod
    def of(cls, card: Card) -> "Thresholds":
        """Those of a model. Raises ModelError for a card without the two thresholds."""
        if card.version == NONE:
            return cls(inf, inf)
        how = ("a probability", "./stormwatch train fraud")
        limits = cls(card.threshold("review", *how), card.threshold("decline", *how))
        if not 0 < limits.review <= limits.decline:
            raise ModelError(
                f"The card of model {card.version} has the thresholds review {limits.review:g} and "
                f"decline {limits.decline:g}: the first has to be above 0, the second no smaller. "
                "Correct them under `thresholds`, or train again: ./stormwatch train fraud"
            )
        return limits


class Scorer:
    """Scores batches with one model. Raises ModelError for a card without the two thresholds."""

    def __init__(self, model: Model, rules: RuleSet = SHIPPED) -> None:
        self._model = model
        self._rules = rules
        Thresholds.of(model.card)

    def __call__(
        self,
        events: Sequence[Transaction],
        features: Sequence[tuple[float, ...]],
        currencies: Sequence[str],
    ) -> list[Verdict]:
        """One verdict a row, whose amounts are in points of a currency.

        The score is the model's probability; rules add to the outcome. A row of which the model
        has no score is decided by rules alone. Of a payment that only a reference rate could
        compare, with nothing of its customer to compare it with, the model alone declines nothing.
        """
        rows = np.array(features, dtype=np.float64)
        found = scores(self._model, rows)
        limits = Thresholds.of(self._model.card)
        verdicts = [Verdict("approve", s, ()) if s == s else _UNSCORED for s in found]  # noqa: PLR0124
        fired = [(rule, _fires(rule, rows)) for rule in self._rules.rules]
        weights = sum((rule.weight * hits for rule, hits in fired), np.zeros(len(rows)))
        suspect = (np.array(found) >= limits.review) | (weights >= self._rules.review_from)
        for row in np.flatnonzero(suspect).tolist():
            rules = [rule for rule, hits in fired if hits[row]]
            made = Found(events[row], features[row], currencies[row], found[row], limits)
            declined = (found[row] >= limits.decline and not made.is_unsure) or weights[
                row
            ] >= self._rules.decline_from
            reasons = made.reasons(rules)
            verdicts[row] = verdicts[row]._replace(
                outcome="decline" if declined else "review", reasons=reasons
            )
        return verdicts


class Found(NamedTuple):
    """What is known of one suspect payment."""

    event: Transaction
    features: tuple[float, ...]
    currency: str  # that the features' amounts are in
    score: float
    limits: Thresholds

    @property
    def is_unsure(self) -> bool:
        """Whether its amount is known by a reference rate alone, and nothing stands beside it."""
        return not is_common(self.event.currency) and not self.features[_COLUMN["count_30d"]]

    def reasons(self, rules: list[Rule]) -> tuple[Reason, ...]:
        """In words: of the rules that fired, and of the model."""
        event, score, limits = self.event, self.score, self.limits
        values = dict(zip(FEATURE_NAMES, self.features, strict=True))
        amounts = {name: self._money(values[name]) for name in _MONEY}
        amounts["amount"] = money(event.amount, event.currency)
        if event.currency != self.currency:
            about = points(event.amount, event.currency, self.currency)
            amounts["amount"] += f" (about {self._money(about)})"
        known = words(values, amounts, _zone(event.utc_offset))
        reasons = [Reason(rule.code, rule.text.format_map(known), rule.weight) for rule in rules]
        if score >= limits.review:
            declines = score >= limits.decline and not self.is_unsure
            limit = limits.decline if declines else limits.review
            text = (
                "the model gives a fraud probability of {score:.1%} (limit {limit:.1%}): {amount} "
                "against a mean of {mean_30d} over {count_30d:.0f} transactions in 30 days, "
                "{count_1h:.0f} transactions in the hour before"
            )
            if score >= limits.decline and not declines:
                text += (
                    "; not declined for that alone: nothing is known of the customer, and amounts "
                    f"in {event.currency} are compared at a coarse rate"
                )
            told = text.format_map(known | {"score": score, "limit": limit})
            reasons.append(Reason("model", told, score))
        return tuple(reasons)

    def _money(self, count: float) -> str:
        return money(of_points(int(count), self.currency), self.currency)


def _zone(utc_offset: int) -> str:
    if not utc_offset:
        return "UTC"
    hours, minutes = divmod(abs(utc_offset), 60)
    return f"UTC{'-' if utc_offset < 0 else '+'}{hours:02}:{minutes:02}"


def _fires(rule: Rule, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of each row whether all conditions of the rule hold."""
    hits = np.ones(len(rows), dtype=np.bool_)
    for feature, op, value in rule.conditions:
        column = rows[:, _COLUMN[feature]]
        hits &= column <= value if op == "<=" else column >= value
    return hits
