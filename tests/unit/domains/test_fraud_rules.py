"""A file of rules is taken whole or refused with the reason, when it is read and not in a batch."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.fraud import Fraud, rules
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.domains.fraud.rules import TEXT_MAX, words
from stormwatch.errors import SettingsError
from stormwatch.models import NONE
from stormwatch.records import SHADOW_RULE
from stormwatch.rules import document
from stormwatch.rules.document import RuleText
from stormwatch.rules.files import text_of
from stormwatch.settings import Settings

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
    with pytest.raises(SettingsError, match=r"rules\.json: rule 'r0': reason"):
        rules.read(written(tmp_path, text), FEATURE_NAMES)


GOOD = [
    "{amount}", "{count_1h}", "{count_1h:d}", "{count_1h:.0f}", "{seen:,}", "{ratio_30d:.1f}",
    "{z_30d:.2f}", "{ratio_1h:.0%}", "{hour:02} h ({zone})",
    "{amount:>20}", "{{braces}}", "{sum_7d} of {count_7d}, {mean_1d}", "{since_last} s", "",
]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 40 * 86_400_000), st.integers(1, 10**9)), max_size=9))
def test_a_text_that_is_taken_can_be_told_of_any_payment(steps: list[tuple[int, int]]) -> None:
    known = rules.names(FEATURE_NAMES)
    made = document.made(
        [document.checked(RuleText(t, "amount >= 0", t, 0.5), known) for t in GOOD], 0.5, 1.0, "r"
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
    assert [rule.reason for rule in found.rules] == GOOD


def test_the_shipped_rules_are_a_file_as_any_other() -> None:
    assert rules.read(rules.SHIPPED, FEATURE_NAMES).version == Fraud().rules_version
    assert all(rule.examples for rule in rules.shipped(FEATURE_NAMES).rules)


JSON = """{"rules": [
 {"code": "large", "weight": 0.6, "conditions": [["amount", ">=", 9000], ["hour", "<=", 5]],
  "text": "{amount}"},
 {"code": "odd", "weight": 0.5, "text": "{kind}",
  "conditions": [["kind", "in", ["refund", "it's"]], ["channel", "not in", ["pos", ""]]]}
], "decline_from": 2.0}"""


def test_the_json_of_earlier_versions_means_what_it_meant(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(JSON)
    found = rules.read(file, FEATURE_NAMES)
    assert [rule.predicate.text for rule in found.rules] == [
        "amount >= 9000.0 AND hour <= 5.0",
        "kind IN ('refund', 'it''s') AND channel NOT IN ('pos')",
    ]
    assert (found.review_from, found.decline_from) == (0.5, 2.0)
    assert [(rule.id, rule.weight) for rule in found.rules] == [("large", 0.6), ("odd", 0.5)]


@pytest.mark.parametrize(
    ("op", "listed", "fires"),
    [
        ("in", ["pos"], [True, False, False]), ("in", ["pos", ""], [True, False, True]),
        ("not in", ["pos"], [False, True, True]), ("not in", ["pos", ""], [False, True, False]),
        ("in", [""], [False, False, True]), ("not in", [""], [True, True, False]),
    ],
)  # fmt: skip
def test_a_text_that_is_not_known_was_the_empty_one(
    tmp_path: Path, op: str, listed: list[str], fires: list[bool]
) -> None:
    file = tmp_path / "rules.json"
    rule = {"code": "r", "weight": 1, "conditions": [["channel", op, listed]], "text": "x"}
    file.write_text(json.dumps({"rules": [rule]}))
    (found,) = rules.read(file, FEATURE_NAMES).rules
    rows: list[dict[str, float | str]] = [{"channel": "pos"}, {"channel": "web"}, {}]
    columns = document.columns_of(rows, rules.names(FEATURE_NAMES).kinds)
    assert found.predicate.holds(columns).tolist() == fires


TOML = """
[[rule]]
id = "large"
when = "amount >= 9000"
outcome = "decline"
reason = "{amount} at once"

[[rule]]
id = "looked_at"
when = "amount >= 5000"
outcome = "review"
reason = "{amount}"
state = "shadow"

[[rule]]
id = "given_up"
when = "amount >= 1"
outcome = "decline"
reason = "{amount}"
state = "off"
"""


@pytest.mark.parametrize(
    ("amount", "outcome", "codes", "noted"),
    [
        (9_000, "decline", ["large", "shadow:looked_at"], SHADOW_RULE),
        (5_000, "approve", ["shadow:looked_at"], SHADOW_RULE),
        (4_999, "approve", [], ""),
    ],
)
def test_a_rule_decides_outright_or_is_noted_or_is_off(
    tmp_path: Path, amount: int, outcome: str, codes: list[str], noted: str
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(TOML)
    domain = Fraud(Path(NONE), rule_set=rules.read(file, FEATURE_NAMES))
    event = Transaction("i", "c", "t", NOON, amount, "EUR")
    row, carry = domain.advance(domain.new_state(), event)
    (verdict,) = domain.decide([event], [row], [carry])
    assert (verdict.outcome, verdict.noted) == (outcome, noted)
    assert [reason.code for reason in verdict.reasons] == codes


LISTS = """
[lists]
stolen = ["c-1"]
trusted = ["t-9"]

[[rule]]
id = "stolen"
when = "customer IN @stolen"
outcome = "decline"
reason = "{customer} is listed as stolen"

[[rule]]
id = "trusted"
when = "terminal IN @trusted AND merchant IS NULL"
outcome = "approve"
reason = "{terminal} is trusted"

[[rule]]
id = "large"
when = "amount >= 100"
weight = 1.0
reason = "{amount}"
"""


@pytest.mark.parametrize(
    ("customer", "terminal", "amount", "outcome", "codes"),
    [
        ("c-1", "t-1", 1, "decline", ["stolen"]),
        ("c-2", "t-9", 500, "approve", ["trusted"]),
        ("c-2", "t-1", 500, "decline", ["large"]),
        ("c-1", "t-9", 500, "decline", ["stolen", "trusted", "large"]),
        ("c-2", "t-1", 1, "approve", []),
    ],
)
def test_deny_wins_over_allow_and_allow_over_weights_and_model(
    tmp_path: Path, customer: str, terminal: str, amount: int, outcome: str, codes: list[str]
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(LISTS)
    domain = Fraud(Path(NONE), rule_set=rules.read(file, FEATURE_NAMES))
    event = Transaction("i", customer, terminal, NOON, amount, "EUR")
    row, carry = domain.advance(domain.new_state(), event)
    (verdict,) = domain.decide([event], [row], [carry])
    assert (verdict.outcome, [reason.code for reason in verdict.reasons]) == (outcome, codes)
    changed = tmp_path / "changed.toml"
    changed.write_text(LISTS.replace('"c-1"', '"c-1", "c-3"'))
    assert rules.read(changed, FEATURE_NAMES).version != domain.rules_version


def test_workers_get_the_text_and_read_the_same_rules(tmp_path: Path) -> None:
    for name, text in (("rules.toml", TOML), ("rules.json", JSON)):
        file = tmp_path / name
        file.write_text(text)
        sent = text_of(str(file))
        here = rules.chosen(Settings(fraud_rules=str(file)), FEATURE_NAMES)
        there = rules.chosen(Settings(fraud_rules=sent), FEATURE_NAMES)
        assert here.version == there.version
        assert text_of(sent) == sent
    missing = str(tmp_path / "no.toml")
    assert text_of(missing) == missing
    with pytest.raises(SettingsError, match=r"no\.toml contains no rules"):
        rules.chosen(Settings(fraud_rules=missing), FEATURE_NAMES)


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
            "ratio_1h", "ratio_1d", "ratio_7d", "ratio_30d", "z_30d", "usual_ratio", "usual_z",
            "known_days", "terminal_risk_1d", "terminal_risk_7d", "terminal_risk_30d",
        }  # fmt: skip
        assert type(found["count_1h"]) is int and found["amount"] == "1.00 EUR"
