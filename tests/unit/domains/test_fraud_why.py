"""Why a payment is an alert: sentences, contributions that add up, and what is named."""

from itertools import islice
from typing import Any

import msgspec
import pytest

from apps.data.generate.transactions import Transactions
from stormwatch.domains.fraud import Fraud, why
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURES
from stormwatch.domains.fraud.scoring import Found, Thresholds
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.models.contributions import log_odds, parts_of
from stormwatch.reasons.catalogue import texts
from stormwatch.records import Decision, Explanation, Rejection
from stormwatch.state.judge import Verdict

FRAUD = Fraud()
LIMITS = Thresholds(0.3, 0.6)
PAYMENT = Transaction("i", "c", "T9", 1_795_252_530_123, 74_800, "EUR", utc_offset=60, country="DE")


def alerts(count: int) -> list[tuple[Transaction, tuple[float, ...], Verdict]]:
    """Of generated payments those that the model alerts of."""
    states: dict[str, CustomerState] = {}
    events, rows, carries = [], [], list[Any]()
    for _, value, _ in islice(Transactions(12, customers=150), count):
        event = FRAUD.parse(value, 4_000_000_000_000)
        assert not isinstance(event, Rejection)
        row, carry = FRAUD.advance(states.setdefault(event.customer, FRAUD.new_state()), event)
        events.append(event)
        rows.append(row)
        carries.append(carry)
    verdicts = FRAUD.decide(events, rows, carries)
    found = zip(events, rows, verdicts, strict=True)
    return [one for one in found if any(r.code == "model" for r in one[2].reasons)]


ALERTS = alerts(8_000)


def of_model(verdict: Verdict) -> Explanation:
    (found,) = (one for one in verdict.explanations if one.by == "model")
    return found


def found_of(row: tuple[float, ...]) -> Found:
    return Found(PAYMENT, row, "EUR", 0.9, LIMITS)


def row_of(**values: float) -> tuple[float, ...]:
    plain = {feature.name: feature.default for feature in FEATURES}
    return tuple((plain | {"amount": 74_800.0, "seen": 40.0} | values)[n] for n in FEATURE_NAMES)


def test_each_feature_has_its_texts_and_no_other_has() -> None:
    assert set(texts("fraud")) == set(FEATURE_NAMES)
    for name, text in texts("fraud").items():
        assert text.about, name
        assert not text.needs.keys() - set(FEATURE_NAMES), name


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e9])
def test_each_text_can_be_filled_whatever_the_values(value: float) -> None:
    row = tuple(value for _ in FEATURE_NAMES)
    known = found_of(row).words
    for name, text in texts("fraud").items():
        for each in text.every():
            assert "{" not in each.format_map(known), name


def test_there_are_alerts_of_the_model() -> None:
    assert len(ALERTS) > 30


def test_what_is_kept_adds_up_to_the_score_in_log_odds() -> None:
    for _, row, verdict in ALERTS:
        found = of_model(verdict)
        assert found.unit == "log-odds"
        (raw,) = FRAUD.model.predict([row])
        assert abs(found.total - log_odds(raw)) < 1e-6


def test_the_largest_contribution_comes_first_and_its_sentence_is_in_the_reason() -> None:
    for _, row, verdict in ALERTS:
        found = of_model(verdict)
        amounts = [abs(part.amount) for part in found.parts]
        assert amounts == sorted(amounts, reverse=True)
        parts = parts_of(FRAUD.model, row)
        assert parts is not None
        top = FEATURE_NAMES[int(abs(parts.amounts).argmax())]
        assert found.parts[0].of == top
        (reason,) = (one for one in verdict.reasons if one.code == "model")
        assert found.parts[0].text in reason.text


def test_reasons_are_of_many_kinds_and_begin_with_what_happened() -> None:
    said = {next(r.text for r in v.reasons if r.code == "model") for _, _, v in ALERTS}
    assert len(said) > 0.9 * len(ALERTS)
    assert len({of_model(verdict).parts[0].of for *_, verdict in ALERTS}) > 2
    assert not any(text.startswith("fraud probability") for text in said)


def test_rules_are_told_in_the_same_schema() -> None:
    events = [PAYMENT]
    row = row_of(hour=3.0, ratio_30d=9.0, z_30d=8.0, count_30d=40.0, amount=90_000.0, count_1h=5.0)
    (verdict,) = FRAUD.decide(events, [row], ["EUR"])
    (found,) = (one for one in verdict.explanations if one.by == "rules")
    weights = {r.code: r.weight for r in verdict.reasons if r.code != "model"}
    assert {part.of: part.amount for part in found.parts} == weights
    assert found.total == pytest.approx(sum(weights.values()))
    assert found.unit == "weight"


def test_an_approved_payment_has_no_explanation_and_its_bytes_are_as_they_were() -> None:
    (verdict,) = FRAUD.decide([PAYMENT], [row_of(amount=100.0)], ["EUR"])
    assert verdict.outcome == "approve"
    assert verdict.explanations == ()
    assert b"explanations" not in msgspec.json.encode(
        Decision("i", "c", 0, "approve", 0.1, (), (), "s", "m", "r", "t", 0, 0, 0)
    )


def test_a_sentence_has_the_value_and_what_is_usual_of_this_customer() -> None:
    row = row_of(usual_count=40.0, usual_mean=5_500.0, usual_std=3_500.0, usual_ratio=13.6)
    known, values = found_of(row).words, dict(zip(FEATURE_NAMES, row, strict=True))

    def said(name: str, **others: float) -> str:
        return texts("fraud")[name].of(values[name], values | others).format_map(known)

    assert said("amount") == "748.00 EUR (usual 20.00 to 90.00 EUR)"
    assert "13.6 times the customer's mean of 55.00 EUR" in said("usual_ratio")
    assert "nothing usual of the customer is known" in said("amount", usual_count=0.0)


def test_the_clock_is_that_of_the_record() -> None:
    words = why.more_words(PAYMENT, row_of())
    assert words["clock"] == "10:15"  # 09:15:30 UTC, an hour ahead


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (119, "119 s"), (360, "6 min"), (7_200, "2 h"), (1e6, "12 days")],
)  # fmt: skip
def test_durations_are_said_in_one_unit(seconds: float, said: str) -> None:
    assert why.duration(seconds) == said
