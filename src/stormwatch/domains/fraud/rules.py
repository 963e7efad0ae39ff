"""Rules of the fraud domain, as data: conditions on feature columns, a weight and a reason.

A rule fires where all its conditions hold. The weights of the rules that fire are added: from
REVIEW_FROM a person looks at the transaction, from DECLINE_FROM it is declined, whatever the model
says; the model alone may do the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple
from zlib import crc32

import msgspec

from stormwatch.errors import SettingsError

REVIEW_FROM, DECLINE_FROM = 0.5, 1.0
MONEY = ("amount", "sum_", "mean_")
"""How features that are money begin: texts get these as text."""


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


class RuleSet(NamedTuple):
    """All rules together, and the sums of weights from which they count."""

    rules: tuple[Rule, ...]
    review_from: float
    decline_from: float

    @property
    def version(self) -> str:
        """Changes with any rule."""
        return f"fraud-rules-{crc32(repr(tuple(self)).encode()):08x}"


SHIPPED = RuleSet(RULES, REVIEW_FROM, DECLINE_FROM)
RULES_VERSION = SHIPPED.version


class _RuleFile(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    weight: float
    conditions: tuple[Condition, ...]  # ["amount", ">=", 10000]
    text: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[_RuleFile]
    review_from: float = REVIEW_FROM
    decline_from: float = DECLINE_FROM


def read(path: Path, features: Sequence[str]) -> RuleSet:
    """The rules of a JSON file: `{"rules": [{"code", "weight", "conditions", "text"}, …]}`.

    A set is taken whole or not at all. Raises SettingsError that names the file, the rule and what
    is wrong with it.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} holds no rules: {error}. Mend it, or name another.") from error
    rules = tuple(Rule(r.code, r.weight, r.conditions, r.text) for r in found.rules)
    known: dict[str, float | str] = {
        name: "1.00" if name.startswith(MONEY) else 1.0 for name in features
    }
    for rule in rules:
        unknown = {c.feature for c in rule.conditions} - known.keys()
        if unknown or not rule.conditions:
            what = (
                f"has unknown features: {', '.join(sorted(unknown))}"
                if unknown
                else ("has no condition")
            )
            raise SettingsError(f"{path}: rule {rule.code!r} {what}. Known: {', '.join(features)}.")
        try:
            rule.text.format_map(known)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise SettingsError(
                f"{path}: the text of rule {rule.code!r} cannot be formatted ({error!r}). "
                "Use {feature:.1f} or {feature:.0f}, and {feature} for money."
            ) from error
    if len({rule.code for rule in rules}) < len(rules):
        raise SettingsError(f"{path} has two rules of one code. Give each its own.")
    return RuleSet(rules, found.review_from, found.decline_from)
