"""Rules of the fraud domain, as data: conditions on feature columns, a weight and a reason.

A rule fires where all its conditions hold. The weights of the rules that fire are added: from
REVIEW_FROM a person looks at the transaction, from DECLINE_FROM it is declined, whatever the model
says; the model alone may do the same.
"""

from typing import Literal, NamedTuple
from zlib import crc32

REVIEW_FROM, DECLINE_FROM = 0.5, 1.0


class Condition(NamedTuple):
    """`feature op value`; amounts in minor units."""

    feature: str
    op: Literal["<=", ">="]
    value: float


class Rule(NamedTuple):
    """`text` is formatted with the features by name; amounts come as money."""

    code: str
    weight: float
    conditions: tuple[Condition, ...]
    text: str


RULES = (
    Rule(
        "amount_far_above_own_mean",
        0.6,
        (
            Condition("ratio_30d", ">=", 5),
            Condition("z_30d", ">=", 5),
            Condition("count_30d", ">=", 5),
            Condition("amount", ">=", 10_000),
        ),
        "{amount} is {ratio_30d:.1f} times the customer's mean of the last 30 days ({mean_30d}) "
        "and {z_30d:.1f} standard deviations above it",
    ),
    Rule(
        "burst_1h",
        0.5,
        (Condition("count_1h", ">=", 4), Condition("sum_1h", ">=", 10_000)),
        "{count_1h:.0f} transactions of together {sum_1h} in the hour before",
    ),
    Rule(
        "large_burst_1h",
        0.6,
        (
            Condition("count_1h", ">=", 3),
            Condition("ratio_30d", ">=", 3),
            Condition("count_30d", ">=", 5),
            Condition("amount", ">=", 5_000),
        ),
        "after {count_1h:.0f} transactions in the hour before, {amount} is {ratio_30d:.1f} times "
        "the customer's mean of the last 30 days",
    ),
    Rule(
        "first_transactions_large",
        0.5,
        (Condition("seen", "<=", 2), Condition("amount", ">=", 40_000)),
        "{amount} with only {seen:.0f} transactions known of the customer",
    ),
    Rule(
        "large_at_night",
        0.5,
        (
            Condition("hour", "<=", 5),
            Condition("amount", ">=", 20_000),
            Condition("ratio_30d", ">=", 3),
        ),
        "{amount} at {hour:.0f} h (UTC), {ratio_30d:.1f} times the customer's mean of the last "
        "30 days",
    ),
)

RULES_VERSION = f"fraud-rules-{crc32(repr((RULES, REVIEW_FROM, DECLINE_FROM)).encode()):08x}"
"""Changes with any rule."""
