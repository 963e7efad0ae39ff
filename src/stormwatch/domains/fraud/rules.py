"""Rules of the fraud domain, as data: conditions on feature columns, a weight and a reason.

A rule fires where all its conditions hold. One on a detail of a payment (`details.NUMBERS`,
`details.TEXTS`) holds only where that is known; a refund or reversal is judged by those rules alone
that ask for `kind`. The weights of the rules that fire are added: from
REVIEW_FROM a person looks at the transaction, from DECLINE_FROM it is declined, whatever the model
says; the model alone may do the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from string import Formatter
from typing import Literal, NamedTuple
from zlib import crc32

import msgspec

from stormwatch.domains.fraud.details import NUMBERS, TEXTS
from stormwatch.errors import SettingsError

REVIEW_FROM, DECLINE_FROM = 0.5, 1.0
MONEY = ("amount", "sum_", "mean_", "usual_mean", "usual_std", "max_30d")
"""How features that are money begin: texts get these as text."""
FRACTIONS = ("ratio_", "z_", "usual_ratio", "usual_z", "known_days", "terminal_risk")
"""How features begin that texts get with decimals; all others are whole numbers."""
ZONE = "zone"
"""What a text may name besides the features: the clock that `hour` is of, "UTC" or "UTC-08:00"."""
LISTED = ("in", "not in")
TEXT_MAX = 500
"""Characters of a text."""


class Condition(NamedTuple):
    """`feature op value`; amounts in points, which are about cents of a euro (`money.points`). Of
    the texts among the details `in` and `not in`, with a list of texts; "" is one not known."""

    feature: str
    op: Literal["<=", ">=", "in", "not in"]
    value: float | tuple[str, ...]


class Rule(NamedTuple):
    """`text` is formatted with `words`."""

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
        "{amount} at {hour:.0f} h ({zone}), {ratio_30d:.1f} times the customer's mean of the last "
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
WITH_DETAILS = RuleSet(
    (
        *RULES,
        Rule(
            "impossible_travel",
            0.5,
            (
                Condition("speed_kmh", ">=", 1_000),
                Condition("distance_km", ">=", 500),
                Condition("channel", "not in", ("online", "ecommerce")),
            ),
            "{distance_km:.0f} km from the customer's payment before, that is {speed_kmh:.0f} km/h",
        ),
    ),
    REVIEW_FROM,
    DECLINE_FROM,
)
"""Those for payments that a mapping makes: it may give them details."""
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


def words(
    values: Mapping[str, float], texts: Mapping[str, str], zone: str
) -> dict[str, int | float | str]:
    """What texts are formatted with: money as text, fractions as floats, all else as integers."""
    plain = {
        name: float(value) if name.startswith(FRACTIONS) else int(value)
        for name, value in values.items()
    }
    return {**plain, **texts, ZONE: zone}


def read(path: Path, features: Sequence[str]) -> RuleSet:
    """The rules of a JSON file: `{"rules": [{"code", "weight", "conditions", "text"}, …]}`.

    `features` are those of the feature set: rules may use these and the details. A set is taken
    whole or not at all. Raises SettingsError that names the file, the rule and what is wrong with
    it.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} contains no rules: {error}. Fix it, or name another."
        ) from error
    for rule in found.rules:
        if wrong := _wrong(rule, features):
            raise SettingsError(f"{path}: rule {rule.code!r} {wrong}")
    if len({rule.code for rule in found.rules}) < len(found.rules):
        raise SettingsError(f"{path} has two rules of one code. Give each its own.")
    if not 0 < found.review_from <= found.decline_from < float("inf"):
        raise SettingsError(
            f"{path} has review_from {found.review_from:g} and decline_from "
            f"{found.decline_from:g}: the sum of weights that is reviewed has to be above 0, and "
            "the one that is declined no smaller."
        )
    rules = tuple(Rule(r.code, r.weight, r.conditions, r.text) for r in found.rules)
    return RuleSet(rules, found.review_from, found.decline_from)


def _wrong(rule: _RuleFile, features: Sequence[str]) -> str:
    """What is wrong with a rule; "" if nothing is."""
    known = [*features, *NUMBERS, *TEXTS]
    asked = {c.feature for c in rule.conditions}
    if unknown := asked - set(known):
        return f"has unknown features: {', '.join(sorted(unknown))}. Known: {', '.join(known)}."
    if not rule.conditions:
        return f"has no condition. Known: {', '.join(known)}."
    if why := _wrong_number(rule):
        return why
    if len(rule.text) > TEXT_MAX:
        return f"has a text of {len(rule.text)} characters; at most {TEXT_MAX} are shown."
    try:
        # A number that may be missing has to be one that the rule asks for.
        shown = (*features, *(name for name in NUMBERS if name in asked))
        _check_fields(rule.text, {*shown, *TEXTS, ZONE})
        for each in _samples(shown):
            rule.text.format_map(each)
    except (LookupError, ValueError, OverflowError) as error:
        return (
            f"has a text that cannot be formatted ({error}). Use {{amount}} and {{mean_30d}} for "
            "money, {count_1h} for whole numbers, {ratio_30d:.1f} for those with decimals, {zone}."
        )
    return ""


def _wrong_number(rule: _RuleFile) -> str:
    for name, op, value in rule.conditions:
        if (name in TEXTS) != (op in LISTED) or (op in LISTED) != isinstance(value, tuple):
            return (
                f"has a condition on {name} that cannot be: {', '.join(TEXTS)} are compared by in "
                "and not in with a list of texts, all others by <= and >= with a number."
            )
    numbers = (c.value for c in rule.conditions if not isinstance(c.value, tuple))
    if not all(map(isfinite, (rule.weight, *numbers))):
        return "has a weight or a value that is no finite number."
    return ""


_SPEC = re.compile(r"[<>^]?\d{0,2},?(\.\d{1,2})?[a-zA-Z%]?")


def _check_fields(text: str, known: set[str]) -> None:
    """Raises ValueError for a field that is more than a name and a plain format."""
    for _, field, spec, conversion in Formatter().parse(text):
        if field is None:
            continue
        if field not in known:
            raise ValueError(f"{{{field}}} is not known: {', '.join(sorted(known))}")
        if conversion or not _SPEC.fullmatch(spec or ""):
            raise ValueError(f"the format of {{{field}}} is not a plain one")


def _samples(features: Sequence[str]) -> Iterable[dict[str, int | float | str]]:
    """Words of the types and the extremes that texts get."""
    for value in (0.0, 1.0, -2.5, float(2**53)):
        texts = {name: "1.00 EUR (about 1.00 USD)" for name in features if name.startswith(MONEY)}
        texts |= dict.fromkeys(TEXTS, "a text")
        yield words(dict.fromkeys(features, value), texts, "UTC-08:00")
