"""Model and rules over a batch: from feature rows to verdicts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, isnan, nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.fraud import why
from stormwatch.domains.fraud.details import NUMBERS, TEXTS, Carry, Told, takes_back, text_of
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURES
from stormwatch.domains.fraud.money import money
from stormwatch.domains.fraud.rates import Rates, shipped
from stormwatch.domains.fraud.rules import KNOWN, MONEY, ZONE, payments_known, word
from stormwatch.errors import ModelError
from stormwatch.features import Feature, names
from stormwatch.models import NONE, Card, Model, distribution, scores
from stormwatch.models.contributions import Parts, parts_of
from stormwatch.models.distribution import Distribution
from stormwatch.reasons.explain import sentences
from stormwatch.records import (
    CAPPED,
    NO_RATE,
    OUT_OF_DISTRIBUTION,
    RETRY,
    SHADOW_RULE,
    SNOOZED,
    TAKEN_BACK,
    Explanation,
    Reason,
)
from stormwatch.rules.combined import combined
from stormwatch.rules.document import Rule, RuleSet
from stormwatch.state.judge import UNSCORED, Capped, Verdict

_COLUMN = {name: at for at, name in enumerate(FEATURE_NAMES)}
_APPROVED = Verdict("approve")
_UNSCORED = Verdict("approve", UNSCORED, (), degraded=True)
COLD = 5
"""Usual payments of a customer below which the model alone declines nothing."""
_TERMINALS = ("terminal_fraud_amount", "terminal_fraud_least")
_MONEY = [name for name in FEATURE_NAMES if name.startswith(MONEY)]
_IN_MONEY = frozenset({*_MONEY, *_TERMINALS})
_ENDS = ("usual_low", "usual_high")
_SPOKEN = frozenset({"clock", "since", "age", "a_day", "a_week"})
"""What `why.more_words` makes."""


class Thresholds(NamedTuple):
    """Scores from which the model alone has a transaction reviewed or declined, the rates by
    which amounts are compared, and what the features are."""

    review: float
    decline: float
    rates: Rates = shipped()
    features: tuple[Feature, ...] = FEATURES
    """The domain's, then a user's own."""
    places: Mapping[str, int] = _COLUMN
    """Of each of them in a row."""

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

    def __init__(
        self,
        model: Model,
        rules: RuleSet,
        rates: Rates,
        features: tuple[Feature, ...] = FEATURES,
        native: Any = None,
    ) -> None:
        """`native`: the compiled core, where there is one."""
        self._model, self._native = model, native
        self._rules = rules
        self._rates, self._features = rates, features
        self._names = names(features)
        self._width = len(model.card.feature_names) or len(features)
        self._read(model.card)

    def _read(self, card: Card) -> None:
        self._card, self._trained_on = card, distribution.of(card)
        self._outside = None
        if self._trained_on and self._native is not None:
            self._outside = self._trained_on.hastened(self._native)
        elif self._trained_on:
            self._outside = self._trained_on.outside
        limits = Thresholds.of(card)
        self._limits = limits._replace(
            rates=self._rates, features=self._features,
            places={name: at for at, name in enumerate(self._names)},
        )  # fmt: skip

    def __call__(
        self,
        events: Sequence[Transaction],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Carry],
        sequences: NDArray[np.float64] | None = None,
    ) -> list[Verdict]:
        """One verdict a row, whose amounts are in points of the currency in its carry.

        `sequences`: what the model sees in place of the rows, where it takes several of each.

        The score is the model's probability; rules add to the outcome. A row of which the model
        has no score is decided by rules alone. Of a payment that only a reference rate could
        compare, with nothing of its customer to compare it with, and of a customer of whom fewer
        than COLD usual payments are known, the model alone declines nothing.
        Of one that is out of distribution it decides nothing alone, and the verdict says so.
        What takes a payment back is approved, unless a rule that asks for its kind fires.
        """
        if self._native is None:
            rows = np.array(features, dtype=np.float64)
        else:
            rows = np.frombuffer(self._native.matrix(features)).reshape(len(features), -1)
        inputs = rows[:, : self._width] if sequences is None else sequences
        found = scores(self._model, inputs)
        if self._model.card is not self._card:  # of what gave these scores
            self._read(self._model.card)
        verdicts, fired = self._judged(events, features, carries, found, rows, inputs, frozenset())
        capped = [(rule, hits) for rule, hits in fired if rule.cap_1h or rule.cap_1d]
        for row in {row for rule, hits in capped for row in np.flatnonzero(hits).tolist()}:
            rules = tuple(rule for rule, hits in capped if hits[row] and rule.state == "live")
            if rules:
                verdicts[row] = verdicts[row]._replace(
                    capped=Capped(
                        rules, self._again(events, features, carries, found, rows, inputs, row)
                    )
                )
        return verdicts

    def _again(
        self,
        events: Sequence[Transaction],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Carry],
        found: Sequence[float],
        rows: NDArray[np.float64],
        inputs: NDArray[np.float64],
        row: int,
    ) -> Callable[[frozenset[str]], Verdict]:
        """The verdict of one row where some rules are above their cap; the model is not asked."""
        own = slice(row, row + 1)

        def again(above: frozenset[str]) -> Verdict:
            some = events[own], features[own], carries[own], found[own], rows[own], inputs[own]
            ((verdict,), _) = self._judged(*some, above)
            return verdict

        return again

    def _judged(
        self,
        events: Sequence[Transaction],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Carry],
        scored: Sequence[float],
        rows: NDArray[np.float64],
        inputs: NDArray[np.float64],
        above: frozenset[str],
    ) -> "tuple[list[Verdict], list[tuple[Rule, NDArray[np.bool_]]]]":
        """Verdicts and what fires anywhere, given the model's scores; rules `above` their cap do
        not. `rows`: the features."""
        found = list(scored)
        limits, trained_on = self._limits, self._trained_on
        outside = np.isfinite(found)  # without a score there is nothing to hold back
        outside &= self._outside(rows[:, : self._width]) if self._outside else False
        new, rest = tuple.__new__, _APPROVED[2:]  # what `Verdict` does, in half the time
        verdicts = [
            _UNSCORED if isnan(score) else new(Verdict, ("approve", score, *rest))
            for score in found
        ]
        detailed = [at for at, event in enumerate(events) if event.more is not None]
        back = [at for at in detailed if takes_back(events[at])]
        told = _Batch(events, rows, carries, back, limits.places)
        asked = [(rule, told.fires(rule)) for rule in self._rules.rules if rule.state != "off"]
        fired = [(rule, hits) for rule, hits in asked if np.count_nonzero(hits)]
        special = fired or detailed or np.count_nonzero(outside)
        if not special and max(found) < limits.review:  # as nearly every small batch
            return self._by_rates(verdicts, events, carries), fired
        for at in back:
            found[at], outside[at] = UNSCORED, False
        fired, quiet = self._awake(events, fired, above)
        ruled = combined(self._rules, fired, len(rows))
        by_model = np.where(outside, UNSCORED, found)
        suspect = ((by_model >= limits.review) & ~ruled.approve) | ruled.review
        for row in np.flatnonzero(suspect).tolist():
            rules = [rule for rule, hits in fired if hits[row] and rule.state == "live"]
            score = float(by_model[row])
            made = Found(events[row], features[row], carries[row], score, limits)
            declined = (score >= limits.decline and not made.unsure) or ruled.decline[row]
            parts = None
            if score >= limits.review:
                parts = parts_of(self._model, inputs[row])
            reasons, explained = made.told(rules, parts)
            verdicts[row] = verdicts[row]._replace(
                outcome="decline" if declined else "review", reasons=reasons, explanations=explained
            )
        for row in np.flatnonzero(ruled.approve).tolist():
            rules = [
                rule for rule, hits in fired
                if hits[row] and rule.outcome == "approve" and rule.state == "live"
            ]  # fmt: skip
            made = Found(events[row], features[row], carries[row], UNSCORED, limits)
            verdicts[row] = verdicts[row]._replace(reasons=made.reasons(rules))
        for rule, hits in fired:
            for row in np.flatnonzero(hits).tolist() if rule.state == "shadow" else ():
                made = Found(events[row], features[row], carries[row], UNSCORED, limits)
                verdicts[row] = _in_shadow(verdicts[row], made.reasons([rule]))
        for rule, row in quiet:
            made = Found(events[row], features[row], carries[row], UNSCORED, limits)
            why = ("capped", CAPPED) if rule.id in above else ("snoozed", SNOOZED)
            verdicts[row] = _in_shadow(verdicts[row], made.reasons([rule]), *why)
        for row in np.flatnonzero(outside).tolist():
            assert trained_on
            made = Found(events[row], features[row], carries[row], found[row], limits)
            reasons = (*verdicts[row].reasons, made.unlike(trained_on))
            verdicts[row] = verdicts[row]._replace(reasons=reasons, noted=OUT_OF_DISTRIBUTION)
        for row in detailed:
            verdicts[row] = _with_note(verdicts[row], events[row], carries[row])
        return self._by_rates(verdicts, events, carries), fired

    def _by_rates(
        self, verdicts: list[Verdict], events: Sequence[Transaction], carries: Sequence[Carry]
    ) -> list[Verdict]:
        """In place: those of amounts that a reference rate compared say so."""
        common = self._rates.common
        for row, (event, carry) in enumerate(zip(events, carries, strict=True)):
            own = carry if isinstance(carry, str) else carry.currency
            if event.currency not in common or own not in common:
                verdicts[row] = _by_rate(verdicts[row], event, self._rates)
        return verdicts

    def _awake(
        self,
        events: Sequence[Transaction],
        fired: list[tuple[Rule, NDArray[np.bool_]]],
        above: frozenset[str],
    ) -> tuple[list[tuple[Rule, NDArray[np.bool_]]], list[tuple[Rule, int]]]:
        """What fires but for the rules that are snoozed for the customer at the event's time, or
        above their cap; and those, by row."""
        snoozes = self._rules.snoozes
        if not snoozes and not above:
            return fired, []
        awake, asleep = [], []
        for rule, hits in fired:
            until = snoozes.get(rule.id, {})
            quiet = [
                row for row in (np.flatnonzero(hits).tolist() if until or rule.id in above else ())
                if rule.id in above or events[row].time < until.get(events[row].entity, 0)
            ]  # fmt: skip
            kept = hits.copy() if quiet else hits
            kept[quiet] = False
            asleep += [(rule, row) for row in quiet]
            awake.append((rule, kept))
        return awake, asleep


def _in_shadow(
    verdict: Verdict, reasons: Iterable[Reason], state: str = "shadow", noted: str = SHADOW_RULE
) -> Verdict:
    """The verdict, saying what a rule that is not acted on found."""
    told = (Reason(f"{state}:{reason.code}", reason.text) for reason in reasons)
    return verdict._replace(reasons=(*verdict.reasons, *told), noted=noted)


def _with_note(verdict: Verdict, event: Transaction, carry: Carry) -> Verdict:
    """The verdict, saying that the payment takes one back or repeats one."""
    if event.more is not None and takes_back(event):
        of = f" of {event.more.original}" if event.more.original else ""
        text = f"{event.more.kind}{of}: {money(event.amount, event.currency)} go back"
        reason = Reason(event.more.kind, text)
        noted = verdict._replace(score=UNSCORED, degraded=False, noted=TAKEN_BACK)
    elif isinstance(carry, Told) and carry.retry_of:
        text = f"{carry.retry_of} once more, {carry.retry_s:.0f} s after it: counted as one payment"
        reason = Reason("retry", text)
        noted = verdict._replace(noted=RETRY)
    else:
        return verdict
    return noted._replace(reasons=(*verdict.reasons, reason))


def _currency(carry: Carry) -> str:
    """That the features' amounts are in."""
    return carry if isinstance(carry, str) else carry.currency


def _by_rate(verdict: Verdict, event: Transaction, rates: Rates) -> Verdict:
    """The verdict, saying by which rates; of a currency that has none, that too."""
    if rates.knows(event.currency) or verdict.noted == TAKEN_BACK:
        return verdict._replace(rates=rates.version)
    text = (
        f"there is no reference rate for {event.currency}: nothing compares "
        f"{money(event.amount, event.currency)} with other amounts"
    )
    reasons = (*verdict.reasons, Reason(NO_RATE, text))
    return verdict._replace(reasons=reasons, noted=NO_RATE, rates=rates.version)


class _Batch(dict[str, NDArray[Any]]):
    """Payments as the conditions of rules see them: a column for each feature and detail, once it
    is asked for."""

    def __init__(
        self,
        events: Sequence[Transaction],
        rows: NDArray[np.float64],
        carries: Sequence[Carry],
        back: list[int],
        places: Mapping[str, int] = _COLUMN,
    ) -> None:
        """`back`: the rows that take a payment back. `places`: of the features in a row."""
        super().__init__(amount=rows[:, 0])  # how many there are is asked of any column
        self._rows, self._places = rows, places
        self._events, self._carries, self._back = events, carries, back
        self._size = len(events)

    def fires(self, rule: Rule) -> NDArray[np.bool_]:
        """Of each row whether the rule's condition is true."""
        hits = rule.predicate.holds(self)
        if self._back and "kind" not in rule.predicate.names:
            hits = hits.copy()
            hits[self._back] = False
        return hits

    def __missing__(self, name: str) -> NDArray[Any]:
        at = self._places.get(name)
        if at is not None:
            found = self._rows[:, at]
        elif name in TEXTS:
            found = np.array([text_of(event, name) for event in self._events], dtype=object)
        else:
            found = np.full(self._size, nan)
            for row, carry in enumerate(self._carries):
                if isinstance(carry, Told):
                    found[row] = getattr(carry, name)
        self[name] = found
        return found


class _Words(dict[str, int | float | str]):
    """What sentences about a payment are filled with: each word made where one asks for it."""

    def __init__(self, found: "Found") -> None:
        self._found = found

    def __missing__(self, name: str) -> int | float | str:
        value = self[name] = self._found.word(name)
        return value


class Found(NamedTuple):
    """What is known of one suspect payment."""

    event: Transaction
    features: tuple[float, ...]
    carry: Carry
    score: float
    limits: Thresholds

    @property
    def currency(self) -> str:
        """That the features' amounts are in."""
        return _currency(self.carry)

    @property
    def unsure(self) -> str:
        """Why the model alone declines nothing here; "" if it may."""
        rates = self.limits.rates
        if not rates.knows(self.event.currency):
            return f"there is no reference rate for {self.event.currency}"
        if not rates.is_common(self.event.currency) and not self.features[_COLUMN["count_30d"]]:
            return (
                "nothing is known of the customer, and amounts in "
                f"{self.event.currency} are compared at a coarse rate"
            )
        usual = int(self.features[_COLUMN["usual_count"]])
        if usual < COLD:
            return f"{payments_known(usual, 'usual ')}, and {COLD} are needed"
        return ""

    def reasons(self, rules: list[Rule]) -> tuple[Reason, ...]:
        """In words: of rules that fired."""
        known = self.words
        return tuple(Reason(rule.id, rule.reason.format_map(known), rule.weight) for rule in rules)

    def told(
        self, rules: list[Rule], parts: Parts | None
    ) -> tuple[tuple[Reason, ...], tuple[Explanation, ...]]:
        """Why it is an alert: of the rules that fired, and of the model. `parts`: what its features
        add to its score."""
        reasons = self.reasons(rules)
        explained = [why.by_rules(rules, reasons)] if rules else []
        if self.score >= self.limits.review:
            found = None if parts is None else self._parts(parts)
            reasons = (*reasons, Reason("model", self._by_model(found), self.score))
            explained = [*([found] if found else ()), *explained]
        return reasons, tuple(explained)

    def _parts(self, parts: Parts) -> Explanation:
        return why.by_model(parts, self.features, self.words, self.limits.features)

    def _by_model(self, found: Explanation | None) -> str:
        score, limits = self.score, self.limits
        declines = score >= limits.decline and not self.unsure
        limit, outcome = (limits.decline, "declined") if declines else (limits.review, "reviewed")
        text = f"fraud probability {score:.1%}, {outcome} from {limit:.1%} on"
        said = sentences(found, why.matter) if found else ""
        text = f"{said} ({text})" if said else text
        if score >= limits.decline and not declines:
            text += f"; not declined for that alone: {self.unsure}"
        return text

    @property
    def words(self) -> _Words:
        """What sentences are filled with."""
        return _Words(self)

    def word(self, name: str) -> int | float | str:
        """What a sentence is filled with where it says {name}. Raises KeyError."""
        if name in _SPOKEN:
            return why.more_words(self.event, self.features)[name]
        if name in TEXTS:
            return text_of(self.event, name)
        if name == KNOWN:
            return payments_known(int(self.features[_COLUMN["seen"]]))
        if name in _ENDS:
            low, high = (self._money(end) for end in why.usual_ends(self.features))
            return low.split()[0] if name == _ENDS[0] else high  # beside the other end
        if name in NUMBERS and isinstance(self.carry, Told):
            number = getattr(self.carry, name)
            if number == number:  # noqa: PLR0124
                return int(number)
        return _zone(self.event.utc_offset) if name == ZONE else self._feature(name)

    def _feature(self, name: str) -> int | float | str:
        value = self.features[self.limits.places[name]]
        if name == "amount":
            return self._amount()
        return self._money(value) if name in _IN_MONEY else word(name, value)

    def _amount(self) -> str:
        event, rates = self.event, self.limits.rates
        text = money(event.amount, event.currency)
        if event.currency != self.currency and rates.knows(event.currency):
            about = rates.points(event.amount, event.currency, self.currency)
            text += f" (about {self._money(about)})"
        return text

    def unlike(self, trained_on: Distribution) -> Reason:
        """Why the model decides nothing of this one alone."""
        at = trained_on.oddest(self.features[: trained_on.features])
        name, value = self.limits.features[at].name, self.features[at]
        shown = self._money if name in _MONEY else "{:,.5g}".format
        low, high = map(shown, trained_on.usual(at))
        text = (
            f"unlike the payments that the model was trained on, most of all by {name}: "
            f"{shown(value)}, in training {low} to {high}; the model alone decides nothing"
        )
        return Reason(OUT_OF_DISTRIBUTION, text)

    def _money(self, count: float) -> str:
        return money(self.limits.rates.of_points(int(count), self.currency), self.currency)


def _zone(utc_offset: int) -> str:
    if not utc_offset:
        return "UTC"
    hours, minutes = divmod(abs(utc_offset), 60)
    return f"UTC{'-' if utc_offset < 0 else '+'}{hours:02}:{minutes:02}"
