"""A file of rules is taken whole or refused with the reason, when it is read and not in a batch."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.fraud import Fraud, rules
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.rules import RULES, SHIPPED, TEXT_MAX, words
from stormwatch.domains.fraud.state import FEATURE_NAMES
from stormwatch.errors import SettingsError
from stormwatch.models import NONE

NOON = 1_796_040_000_000


def written(folder: Path, *texts: str, **others: Any) -> Path:
    """A file with a rule for each text, which fires on all, and other keys."""
    made = [
        {"code": f"r{i}", "weight": 0.5, "conditions": [["amount", ">=", 0]], "text": text}
        for i, text in enumerate(texts)
    ]
    file = folder / "rules.json"
    file.write_text(json.dumps({"rules": made} | others))
    return file


@pytest.mark.parametrize(
    "text",
    [
        "{count_1h:.2}",  # of a float it is allowed, and whole numbers came to it
        "{ratio_30d:d}", "{amount:.1f}", "{mean_30d:d}", "{zone:.1f}", "{seen:c}",
        "{nothing}", "{}", "{0}", "{amount", "amount}", "{amount!r}", "{count_1h.real}",
        "{amount[0]}", "{amount.__class__}", "{count_1h:{seen}}", "{amount:>999999999}",
        "{hour:999}", "x" * (TEXT_MAX + 1),
    ],
)  # fmt: skip
def test_a_text_that_some_payment_could_not_be_told_with_is_refused(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(SettingsError, match=r"rules\.json: rule 'r0' has a text"):
        rules.read(written(tmp_path, text), FEATURE_NAMES)


GOOD = [
    "{amount}", "{count_1h}", "{count_1h:d}", "{count_1h:.0f}", "{seen:,}", "{ratio_30d:.1f}",
    "{z_30d:.2f}", "{ratio_1h:.0%}", "{hour:02} h ({zone})",
    "{amount:>20}", "{{braces}}", "{sum_7d} of {count_7d}, {mean_1d}", "{since_last} s", "",
]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 40 * 86_400_000), st.integers(1, 10**9)), max_size=9))
def test_a_text_that_is_taken_can_be_told_of_any_payment(steps: list[tuple[int, int]]) -> None:
    made = rules.RuleSet(
        tuple(rules.Rule(t, 0.5, (rules.Condition("amount", ">=", 0),), t) for t in GOOD), 0.5, 1.0
    )
    domain = Fraud(Path(NONE), rule_set=made)
    state, time = domain.new_state(), NOON
    for gap, amount in [*steps, (0, 1)]:
        time += gap
        event = Transaction("i", "c", "t", time, amount, "EUR", utc_offset=-480)
        row, carry = domain.advance(state, event)
        for features in (row, tuple(map(float, row))):  # as they come, and from a stored decision
            (verdict,) = domain.decide([event], [features], [carry])
            assert len(verdict.reasons) == len(GOOD)


def test_good_texts_are_taken(tmp_path: Path) -> None:
    found = rules.read(written(tmp_path, *GOOD), FEATURE_NAMES)
    assert [rule.text for rule in found.rules] == GOOD


def test_the_shipped_rules_pass_what_a_file_must(tmp_path: Path) -> None:
    made = [rule._asdict() for rule in RULES]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"rules": made}))
    assert rules.read(file, FEATURE_NAMES) == SHIPPED


@pytest.mark.parametrize(
    ("review", "decline"), [(0.5, 0.4), (0, 1), (-1, 1), (0, 0), (1e999, 1e999), (0.5, 1e999)]
)
def test_limits_that_would_let_all_or_nothing_through_are_refused(
    tmp_path: Path, review: float, decline: float
) -> None:
    """decline_from below review_from approved in silence; review_from 0 reviewed everything."""
    file = written(tmp_path, "x", review_from=review, decline_from=decline)
    with pytest.raises(SettingsError, match="has review_from|contains no rules"):
        rules.read(file, FEATURE_NAMES)
    file.write_text(file.read_text().replace("Infinity", "1e999"))
    with pytest.raises(SettingsError, match="has review_from|contains no rules"):
        rules.read(file, FEATURE_NAMES)


@pytest.mark.parametrize("field", ["weight", "value"])
def test_numbers_without_an_end_are_refused(tmp_path: Path, field: str) -> None:
    file = written(tmp_path, "x")
    old, new = ("0.5", "1e999") if field == "weight" else ('>=", 0]', '>=", 1e999]')
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(SettingsError, match="no finite number|contains no rules"):
        rules.read(file, FEATURE_NAMES)


def test_words_have_one_type_each_whatever_came() -> None:
    for value in (1, 1.0):
        found = words(dict.fromkeys(FEATURE_NAMES, value), {"amount": "1.00 EUR"}, "UTC")
        assert {name for name, word in found.items() if isinstance(word, float)} == {
            "ratio_1h", "ratio_1d", "ratio_7d", "ratio_30d", "z_30d",
        }  # fmt: skip
        assert type(found["count_1h"]) is int and found["amount"] == "1.00 EUR"
