"""What other rules would have done with stored payments, counted against a count by hand."""

import msgspec
import pytest

from apps.operate import backtest
from stormwatch.domains.fraud import Fraud, rules
from stormwatch.errors import SettingsError
from stormwatch.records import DAY_MS, OUT_OF_DISTRIBUTION, Decision, Learned, Reason
from stormwatch.rules import document

NAMES = rules.names(Fraud.feature_names)
TOML = """
[[rule]]
id = "large"
when = "amount >= 9000"
weight = 0.5
reason = "x"

[[rule]]
id = "odd"
when = "amount >= 1"
outcome = "review"
reason = "x"
state = "shadow"
"""


def ruled(text: str = TOML) -> document.RuleSet:
    return document.parse(text, "rules.toml", NAMES, "r")


def body(
    name: str, amount: float, outcome: str, *, score: float = 0.0, day: int = 0,
    reason: str = "", feature_set: str = Fraud.feature_set, learned: Learned | None = None,
) -> bytes:  # fmt: skip
    features = tuple(amount if f == "amount" else 0.0 for f in Fraud.feature_names)
    reasons = (Reason(reason, ""),) if reason else ()
    return msgspec.json.encode(
        Decision(name, "c", day * DAY_MS, outcome, score, reasons, features, feature_set, "m", "r",
                 "t", 0, 0, 0, learned=learned or msgspec.UNSET)
    )  # fmt: skip


STORED = [
    body("kept", 9_000, "review"),
    body("gained", 9_500, "approve", day=3),
    body("gained-true", 9_500, "approve", day=1),
    body("lost", 100, "review"),
    body("lost-false", 100, "decline", day=2),
    body("by-model", 100, "review", score=0.7),
    body("unlike", 100, "approve", score=0.9, reason=OUT_OF_DISTRIBUTION),
    body("quiet", 100, "approve", day=4),
    body("old", 9_500, "approve", feature_set="fraud-0"),
    body("history", 9_500, "learned"),
    body("l1", 0, "labelled", learned=Learned("gained-true", DAY_MS, positive=True)),
    body("l2", 0, "labelled", learned=Learned("lost-false", 2 * DAY_MS, positive=False)),
    b"{",
]


@pytest.mark.parametrize("size", [1, 3, 2_000])
def test_alerts_gained_and_lost_are_counted(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(backtest, "_BATCH", size)
    made = backtest.run(iter(STORED), ruled(), review=0.5)
    assert (made.decisions, made.left_out, made.days) == (8, 3, 4.0)
    assert (made.alerts, made.alerts_then) == (4, 4)
    assert (made.gained, made.gained_true, made.gained_false) == (2, 1, 0)
    assert (made.lost, made.lost_true, made.lost_false) == (2, 0, 1)
    assert made.by_rule == {"large": 3, "odd": 8}
    assert made.a_day(made.alerts_then) == 1.0


ON_A_DETAIL = TOML.replace("amount >= 9000", "amount >= 9000 AND channel = 'pos'")


def test_a_rule_on_a_detail_counts_where_it_fired_then_and_is_named() -> None:
    stored = [
        body("still", 100, "review", reason="large"),
        body("in-shadow-then", 100, "approve", reason="shadow:large"),
        body("not-now-either", 9_500, "approve"),
        body("of-another-rule", 100, "review", reason="gone"),
    ]
    made = backtest.run(iter(stored), ruled(ON_A_DETAIL), review=0.5)
    assert made.not_asked == {"large": ["channel"]}
    assert made.by_rule == {"large": 2, "odd": 4}
    assert (made.alerts, made.alerts_then, made.gained, made.lost) == (2, 2, 1, 1)


def test_where_no_rule_can_be_asked_it_is_said_of_each() -> None:
    text = ON_A_DETAIL.replace('state = "shadow"', 'state = "off"')
    with pytest.raises(SettingsError, match="No rule can.*'large' for channel.*replay fraud"):
        backtest.run([], ruled(text), review=0.5)


def test_the_shipped_rules_are_backtested() -> None:
    made = backtest.run([], rules.shipped(Fraud.feature_names), review=0.5)
    assert set(made.not_asked) == {"impossible_travel"} and len(made.by_rule) > 5


def test_of_nothing_nothing_is_said() -> None:
    made = backtest.run([], ruled(), review=0.5)
    assert (made.decisions, made.a_day(made.alerts_then)) == (0, 0.0)
