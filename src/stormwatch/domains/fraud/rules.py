"""Rules of the fraud domain: conditions on features and details, a weight and a reason.

A rule fires where its condition is true (`stormwatch.rules.predicate`). What is not known of a
payment is NULL; a refund or reversal is judged by those rules alone that ask for `kind`. The
weights of the rules that fire are added: from `review_from` a person looks at the payment, from
`decline_from` it is declined, whatever the model says; a rule may also decide outright, and the
model alone may do the same. The shipped rules: rules.toml beside this file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from string import Formatter
from typing import Literal

import msgspec

from stormwatch import named_texts
from stormwatch.domains.fraud.details import NUMBERS, TEXTS
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.errors import SettingsError
from stormwatch.rules import document
from stormwatch.rules.document import Names, Rule, RuleError, RuleSet, RuleText
from stormwatch.rules.files import text
from stormwatch.rules.predicate import Kind
from stormwatch.settings import Settings

PREFIX = "fraud-rules"
SHIPPED = Path(__file__).with_name("rules.toml")
MONEY = ("amount", "sum_", "mean_", "usual_mean", "usual_std", "max_30d")
"""How features that are money begin: texts get these as text."""
FRACTIONS = ("ratio_", "z_", "usual_ratio", "usual_z", "known_days", "terminal_risk")
"""How features begin that texts get with decimals; the domain's others are whole numbers, and a
user's own are what they are."""
ZONE = "zone"
"""What a text may name besides the features: the clock that `hour` is of, "UTC" or "UTC-08:00"."""
KNOWN = "payments_known"
"""Likewise: `payments_known` of how many the customer had before."""
_SHIPPED = frozenset(FEATURE_NAMES)
TEXT_MAX = 500
"""Characters of a text."""


def read(path: Path, features: Sequence[str]) -> RuleSet:
    """The rules of a file: TOML (`stormwatch.rules.document`), or the JSON of earlier versions.

    `features` are those of the feature set: rules may use these and the details. A set is taken
    whole or not at all. Raises SettingsError that names the file, the rule and what is wrong with
    it.
    """
    return of_text(text(path), str(path), features)


def chosen(settings: Settings, features: Sequence[str]) -> RuleSet:
    """Those of the setting fraud.rules: a file, on workers its text. Raises SettingsError."""
    value = settings.fraud_rules
    if not value:
        return shipped(tuple(features))
    if named_texts.is_text(value):
        return of_text(value, "the rules", features)
    return read(Path(value), features)


def of_text(told: str, where: str, features: Sequence[str]) -> RuleSet:
    """The rules of a file's text; `where` names it. Raises SettingsError."""
    if told.lstrip().startswith("{"):
        return _from_json(told, where, names(features))
    return document.parse(told, where, names(features), PREFIX)


@cache
def shipped(features: tuple[str, ...]) -> RuleSet:
    """The rules that ship with Stormwatch."""
    return read(SHIPPED, features)


def names(features: Sequence[str]) -> Names:
    """What rules may ask of, and say."""
    kinds = dict.fromkeys((*features, *NUMBERS), Kind.NUMBER)
    kinds |= dict.fromkeys(TEXTS, Kind.TEXT)

    def wrong_reason(text: str, asked: frozenset[str]) -> str:
        # A number that may be missing has to be one that the rule asks for.
        return _wrong_text(text, (*features, *(name for name in NUMBERS if name in asked)))

    return Names(kinds, wrong_reason)


def payments_known(count: int, kind: str = "") -> str:
    """In words, as few as they are: "only 2 payments of the customer are known"."""
    if count == 0:
        return f"no {kind}payment of the customer is known yet"
    if count == 1:
        return f"only one {kind}payment of the customer is known"
    return f"only {count} {kind}payments of the customer are known"


def words(
    values: Mapping[str, float], texts: Mapping[str, str], zone: str
) -> dict[str, int | float | str]:
    """What texts are formatted with: money as text, fractions as floats, all else as integers; a
    user's own features as integers where they are whole."""
    plain = {name: word(name, value) for name, value in values.items()}
    return {**plain, **texts, ZONE: zone}


def word(name: str, value: float) -> int | float:
    """What a text is formatted with where it names a feature that is no money."""
    if name.startswith(FRACTIONS) or (name not in _SHIPPED and value != int(value)):
        return float(value)
    return int(value)


def _wrong_text(text: str, shown: Sequence[str]) -> str:
    """What is wrong with a text that may show these features; "" if nothing is."""
    if len(text) > TEXT_MAX:
        return f"has {len(text)} characters; at most {TEXT_MAX} are shown"
    try:
        _check_fields(text, {*shown, *TEXTS, ZONE, KNOWN})
        for each in _samples(shown):
            text.format_map(each)
    except (LookupError, ValueError, OverflowError) as error:
        return (
            f"cannot be formatted ({error}). Use {{amount}} and {{mean_30d}} for money, "
            "{count_1h} for whole numbers, {ratio_30d:.1f} for those with decimals, {zone}"
        )
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
        texts |= dict.fromkeys((*TEXTS, KNOWN), "a text")
        yield words(dict.fromkeys(features, value), texts, "UTC-08:00")


class _JsonRule(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    weight: float
    conditions: tuple[tuple[str, Literal["<=", ">=", "in", "not in"], float | list[str]], ...]
    text: str

    def as_text(self) -> RuleText:
        """As it is written today. A condition on a text that lists "" held of one not known."""
        when = " AND ".join(
            _compared(name, op, value)
            if isinstance(value, list) == (op in ("in", "not in"))
            else _refused(name)
            for name, op, value in self.conditions
        )
        return RuleText(self.code, when, self.text, self.weight)


class _JsonFile(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[_JsonRule]
    review_from: float = 0.5
    decline_from: float = 1.0


def _compared(name: str, op: str, value: float | list[str]) -> str:
    if not isinstance(value, list):
        return f"{name} {op} {value!r}"
    listed = ", ".join("'" + one.replace("'", "''") + "'" for one in value if one)
    known = f"{name} {op.upper()} ({listed})" if listed else ""
    if ("" in value) == (op == "in"):
        return f"({name} IS NULL OR {known})" if known else f"{name} IS NULL"
    return known or f"{name} IS NOT NULL"


def _refused(name: str) -> str:
    raise RuleError(
        "conditions",
        f"compare {name} in a way that cannot be: texts by in and not in with a list of texts, all "
        "others by <= and >= with a number",
    )


def _from_json(text: str, where: str, known: Names) -> RuleSet:
    try:
        found = msgspec.json.decode(text, type=_JsonFile)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"{where} contains no rules: {error}. Fix it, or name another."
        ) from error
    rules: list[Rule] = []
    for one in found.rules:
        try:
            if not isfinite(one.weight):
                raise RuleError("weight", "is no finite number")
            rules.append(document.checked(one.as_text(), known))
        except RuleError as error:
            raise SettingsError(f"{where}: rule {one.code!r}: {error}.") from error
    if len({rule.id for rule in rules}) < len(rules):
        raise SettingsError(f"{where} has two rules of one code. Give each its own.")
    if not 0 < found.review_from <= found.decline_from < float("inf"):
        raise SettingsError(
            f"{where} has review_from {found.review_from:g} and decline_from "
            f"{found.decline_from:g}: the sum of weights that is reviewed has to be above 0, and "
            "the one that is declined no smaller."
        )
    return document.made(rules, found.review_from, found.decline_from, PREFIX)
