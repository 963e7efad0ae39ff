"""Model and rules over a batch: from feature rows to verdicts."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.money import money
from stormwatch.domains.fraud.rules import MONEY, SHIPPED, Rule, RuleSet
from stormwatch.domains.fraud.state import FEATURE_NAMES
from stormwatch.models import NONE, Card, Model, scores
from stormwatch.records import Reason
from stormwatch.state.judge import UNSCORED, Verdict

_COLUMN = {name: at for at, name in enumerate(FEATURE_NAMES)}
_UNSCORED = Verdict("approve", UNSCORED, (), degraded=True)
_MONEY = [name for name in FEATURE_NAMES if name.startswith(MONEY)]


class Limits(NamedTuple):
    """Scores from which the model alone has a transaction reviewed or declined."""

    review: float
    decline: float

    @classmethod
    def of(cls, card: Card) -> "Limits":
        """Those of a model. Raises ModelError for a card without the two thresholds."""
        if card.version == NONE:
            return cls(inf, inf)
        words = ("a probability", "./stormwatch train fraud")
        return cls(card.threshold("review", *words), card.threshold("decline", *words))


class Scorer:
    """Scores batches with one model. Raises ModelError for a card without the two thresholds."""

    def __init__(self, model: Model, rules: RuleSet = SHIPPED) -> None:
        self._model = model
        self._rules = rules
        Limits.of(model.card)

    def __call__(
        self, events: Sequence[Transaction], features: Sequence[tuple[float, ...]]
    ) -> list[Verdict]:
        """One verdict a row. The score is the model's probability; rules add to the outcome.

        A row of which the model has no score is decided by rules alone.
        """
        rows = np.array(features, dtype=np.float64)
        found = scores(self._model, rows)
        limits = Limits.of(self._model.card)
        verdicts = [Verdict("approve", s, ()) if s == s else _UNSCORED for s in found]  # noqa: PLR0124
        fired = [(rule, _fires(rule, rows)) for rule in self._rules.rules]
        weights = sum((rule.weight * hits for rule, hits in fired), np.zeros(len(rows)))
        suspect = (np.array(found) >= limits.review) | (weights >= self._rules.review_from)
        for row in np.flatnonzero(suspect).tolist():
            rules = [rule for rule, hits in fired if hits[row]]
            declined = found[row] >= limits.decline or weights[row] >= self._rules.decline_from
            reasons = _reasons(events[row], features[row], found[row], rules, limits)
            verdicts[row] = verdicts[row]._replace(
                outcome="decline" if declined else "review", reasons=reasons
            )
        return verdicts


def _reasons(
    event: Transaction,
    features: tuple[float, ...],
    score: float,
    rules: list[Rule],
    limits: Limits,
) -> tuple[Reason, ...]:
    words: dict[str, float | str] = dict(zip(FEATURE_NAMES, features, strict=True))
    words |= {name: money(int(features[_COLUMN[name]]), event.currency) for name in _MONEY}
    reasons = [Reason(rule.code, rule.text.format_map(words), rule.weight) for rule in rules]
    if score >= limits.review:
        limit = limits.decline if score >= limits.decline else limits.review
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
