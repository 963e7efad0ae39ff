"""A file of rules, as people write it (TOML).

    review_from = 0.5        # sum of weights from which a person looks at it
    decline_from = 1.0       # and from which it is declined

    [lists]
    stolen = ["c-17", "c-42"]  # `customer IN @stolen`

    [[rule]]
    id = "burst"
    when = "count_1h >= 4 AND sum_1h >= 10000"
    weight = 0.5             # or: outcome = "approve", "review" or "decline", whatever the weights
    reason = "{count_1h} payments of together {sum_1h} in the hour before"
    owner = "payments team"
    state = "live"           # shadow: noted and not acted on; off

    [[rule.example]]
    given = { count_1h = 4, sum_1h = 12000 }
    fires = true

A set is read whole or refused whole: by file, line, rule, and what is allowed. What commands change
while rules are in force stands at the end, under [runtime]: `stormwatch.rules.runtime`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from msgspec import Meta

from stormwatch.errors import SettingsError
from stormwatch.parsing.fields import to_ms
from stormwatch.parsing.toml_document import Document
from stormwatch.rules.predicate import Columns, Kind, Predicate, PredicateError, read

Severity = Literal["low", "medium", "high"]
State = Literal["live", "shadow", "off"]
Outcome = Literal["approve", "review", "decline"]

RULES_MAX = 500
_ID = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,59}$", examples=["burst_1h"])]


class Example(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A case that the rule is held to. What is not given is not known."""

    given: dict[str, float | str]
    fires: bool = True


class RuleText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One rule as it is written."""

    id: _ID
    """Stands in the reasons of decisions: never give an old one a new meaning."""
    when: str
    """The condition: a SQL predicate over features and fields."""
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    """What people read. {amount} is replaced by the value; {ratio_30d:.1f} with one decimal."""
    weight: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Added to those of other rules that fire."""
    outcome: Outcome | None = None
    """What it decides alone, instead of a weight: decline before approve before review."""
    severity: Severity = "medium"
    owner: str = ""
    """Who answers for it."""
    state: State = "live"
    """live: acted on. shadow: noted in the decision, not acted on. off: not looked at."""
    cap_1h: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Acted on so often in an hour for one entity, at most; above it is noted alone."""
    cap_1d: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """The same in a day (UTC)."""
    example: list[Example] = []


class Snooze(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A rule that is not acted on for one entity until a time."""

    rule: _ID
    entity: Annotated[str, Meta(min_length=1, max_length=1000)]
    """As decisions name it: of payments the customer."""
    until: Annotated[datetime, Meta(tz=True)]
    """Of events before this time."""


class Runtime(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What commands changed since the file was written (./stormwatch rules list, snooze)."""

    lists: dict[_ID, list[str]] = {}
    """In the place of the file's lists of these names."""
    snooze: list[Snooze] = []


class File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    rule: Annotated[list[RuleText], Meta(min_length=1, max_length=RULES_MAX)]
    review_from: Annotated[float, Meta(gt=0)] = 0.5
    """Sum of weights from which an event is reviewed."""
    decline_from: Annotated[float, Meta(gt=0)] = 1.0
    """Sum of weights from which it is declined."""
    lists: dict[_ID, list[str]] = {}
    """Of texts, by name: a condition asks of one by IN @name."""
    runtime: Runtime = Runtime()
    """Written by commands while the rules are in force."""


class Rule(NamedTuple):
    """One rule, checked."""

    id: str
    predicate: Predicate
    reason: str
    weight: float
    outcome: str  # "" where only its weight counts
    severity: str
    owner: str
    state: State
    examples: tuple[Example, ...]
    cap_1h: int = 0  # 0: none
    cap_1d: int = 0


class RuleSet(NamedTuple):
    """All rules together, and the sums of weights from which they count."""

    rules: tuple[Rule, ...]
    review_from: float
    decline_from: float
    version: str
    """Changes with whatever changes a decision or what is said of it."""
    lists: Mapping[str, frozenset[str]] = MappingProxyType({})
    snoozes: Mapping[str, Mapping[str, int]] = MappingProxyType({})
    """Of a rule by its id: entity -> until when, ms of event time, it is not acted on."""


class Names(NamedTuple):
    """What rules of a domain may ask of, and say."""

    kinds: Mapping[str, Kind]
    wrong_reason: Callable[[str, frozenset[str]], str]
    """What is wrong with the text of a reason, given what the rule asks of; "" if nothing is."""


class RuleError(SettingsError):
    """A rule that cannot be used: `key` of it is wrong, and why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} {why}")
        self.key, self.why = key, why


def parse(text: str, where: str, names: Names, prefix: str) -> RuleSet:
    """The set of a file's text; `where` names it. Raises SettingsError, and nothing of it is used.

    `prefix` begins the version.
    """
    document = Document(text, where, SettingsError)
    file: File = document.converted(document.tables(), File)
    if file.decline_from < file.review_from or file.decline_from == inf:
        raise document.wrong("decline_from", "has to be a number, no smaller than review_from")
    written = _sets(file.runtime.lists | file.lists)
    lists = written | _sets(file.runtime.lists)
    seen: set[str] = set()
    rules = []
    for number, one in enumerate(file.rule):
        if one.id in seen:
            raise _wrong(document, number, one.id, "id", "is there twice. Give each rule its own")
        seen.add(one.id)
        try:
            rule = checked(one, names, written)  # examples are of the lists they stand beside
            if lists != written:
                rule = rule._replace(predicate=read(one.when, names.kinds, lists))
            rules.append(rule)
            if bool(one.weight) is (one.outcome is not None):
                raise RuleError("weight", "or an outcome is needed, one of the two")
        except RuleError as error:
            raise _wrong(document, number, one.id, error.key, error.why) from error
    snoozes: dict[str, dict[str, int]] = {}
    for at, snooze in enumerate(file.runtime.snooze):
        if snooze.rule not in seen:
            raise document.wrong(
                f"runtime.snooze[{at}].rule",
                f"is {snooze.rule!r}, and there is no such rule: {', '.join(sorted(seen))}",
            )
        until = to_ms(snooze.until)
        before = snoozes.setdefault(snooze.rule, {})
        before[snooze.entity] = max(until, before.get(snooze.entity, until))
    return made(rules, file.review_from, file.decline_from, prefix, lists, snoozes)


def _sets(lists: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in lists.items()}


def made(
    rules: Sequence[Rule], review_from: float, decline_from: float, prefix: str,
    lists: Mapping[str, frozenset[str]] = MappingProxyType({}),
    snoozes: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
) -> RuleSet:  # fmt: skip
    """The set, with its version."""
    listed = {name: sorted(lists[name]) for name in sorted(lists)}
    snoozed = [sorted((rule, *each) for rule, some in snoozes.items() for each in some.items())]
    told = msgspec.json.encode(
        [review_from, decline_from, listed, *map(_told, rules), *(snoozed if snoozes else ())]
    )
    version = f"{prefix}-{crc32(told):08x}"
    return RuleSet(tuple(rules), review_from, decline_from, version, lists, snoozes)


def _told(rule: Rule) -> tuple[Any, ...]:
    caps = (rule.cap_1h, rule.cap_1d)
    return (
        rule.id, rule.predicate.text, rule.reason, rule.weight, rule.outcome, rule.severity,
        rule.state, *(caps if any(caps) else ()),
    )  # fmt: skip


def checked(
    one: RuleText, names: Names, lists: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> Rule:
    """The rule, once its condition, its text and its examples hold. Raises RuleError."""
    try:
        predicate = read(one.when, names.kinds, lists)
    except PredicateError as error:
        raise RuleError("when", f"cannot be read: {error}") from error
    if why := names.wrong_reason(one.reason, predicate.names):
        raise RuleError("reason", why)
    for at, example in enumerate(one.example):
        if why := _wrong_example(example, predicate, names):
            raise RuleError(f"example[{at}]", why)
    return Rule(
        one.id, predicate, one.reason, one.weight, one.outcome or "", one.severity, one.owner,
        one.state, tuple(one.example), one.cap_1h or 0, one.cap_1d or 0,
    )  # fmt: skip


def _wrong(document: Document, number: int, rule: str, key: str, why: str) -> SettingsError:
    """Names the line of the rule's own key: `Document` finds only the first key of a name."""
    starts = [found.start() for found in re.finditer(r"(?m)^[ \t]*\[\[rule\]\]", document.text)]
    line = 0
    if number < len(starts):
        stop = starts[number + 1] if number + 1 < len(starts) else len(document.text)
        own = document.text[starts[number] : stop]
        name = re.escape(key.partition("[")[0])
        found = re.search(rf"(?m)^[ \t]*(?:\[\[rule\.{name}\]\]|{name}\s*=)", own)
        line = document.text.count("\n", 0, starts[number] + (found.start() if found else 0)) + 1
    place = f"{document.where}, line {line}" if line else document.where
    return SettingsError(f"{place}: rule {rule!r}: {key} {why}.")


def _wrong_example(example: Example, predicate: Predicate, names: Names) -> str:
    for name, value in example.given.items():
        kind = names.kinds.get(name)
        if kind is None:
            return f"gives {name!r}, which is not known"
        if isinstance(value, str) is not (kind is Kind.TEXT):
            return f"gives {name} as {value!r}; it is a {kind}"
    fires = bool(predicate.holds(columns_of([example.given], names.kinds))[0])
    if fires is not example.fires:
        return f"says that the rule {'fires' if example.fires else 'does not fire'}; it does" + (
            " not" if example.fires else ""
        )
    return ""


def columns_of(rows: Sequence[Mapping[str, float | str]], kinds: Mapping[str, Kind]) -> Columns:
    """Of rows given by name; what is not given is not known."""
    return {
        name: np.array([row.get(name, "") for row in rows], dtype=object)
        if kind is Kind.TEXT
        else np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)
        for name, kind in kinds.items()
    }
