"""A condition as a SQL predicate, read by sqlglot, checked, and applied to a batch by numpy.

The language is what follows WHERE, without subqueries:

    amount >= 100 AND (country IS NULL OR country NOT IN ('DE', 'AT'))
    ABS(amount - mean_30d) / mean_30d > 3 AND channel LIKE 'online%'

NULL is a value that is not known (a number that is NaN, a text that is empty). As in SQL nothing
holds of it but IS NULL, and NOT of something unknown is unknown: a predicate fires where it is
true. A division by zero, or a result that is no finite number, is NULL: no row can raise. Types are
checked when the predicate is read, so what would fail at run time is refused there.

Negation is pushed down to the comparisons when a predicate is read (De Morgan), so that one numpy
operation a comparison is enough: 20 rules of four comparisons take about 0.4 µs a row in batches of
500 (docs/decisions/0008-rules-as-sql.md has what else was measured).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import sqlglot
from numpy.typing import NDArray
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from stormwatch.errors import SettingsError

Flags = NDArray[np.bool_]
Column = NDArray[Any]
Columns = Mapping[str, Column]
"""By name, all of one length: numbers as float64 (NaN: not known), texts as objects ("": not
known)."""

TEXT_MAX = 2_000
DEPTH_MAX = 50
"""Characters and nested operations of a predicate: far above what a person writes."""
_EXACT = 2**53


class Kind(StrEnum):
    """Of a value."""

    NUMBER = "number"
    TEXT = "text"


class PredicateError(SettingsError):
    """A predicate that cannot be used; the message has its place and what is allowed."""


class Predicate(NamedTuple):
    """A condition. `holds` gives a flag a row, each from its own row alone; it never raises."""

    text: str
    names: frozenset[str]
    """What it asks of."""
    holds: Callable[[Columns], Flags]


def read(
    text: str, kinds: Mapping[str, Kind], lists: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> Predicate:
    """The predicate of a text over columns of these names and kinds. Raises PredicateError.

    `lists`: of texts, which `IN @name` asks of.
    """
    if len(text) > TEXT_MAX:
        raise PredicateError(f"it has {len(text)} characters; at most {TEXT_MAX} are read")
    if not text.strip():
        raise PredicateError("it has no condition. Write a condition such as amount >= 100")
    try:
        found = sqlglot.parse(text)
    except ParseError as error:
        raise _unreadable(error) from error
    except (TokenError, RecursionError) as error:
        raise PredicateError("it is no SQL: a quote or a bracket is not closed") from error
    if len(found) != 1 or found[0] is None:
        raise PredicateError("it is more than one condition. Join them by AND or OR, without ;")
    reader = _Reader(kinds, lists)
    holds = reader.flags(found[0], False, 0)
    return Predicate(text, frozenset(reader.names), holds)


def _unreadable(error: ParseError) -> PredicateError:
    first = error.errors[0] if error.errors else {}
    near = f"{first.get('start_context') or ''}{first.get('highlight') or ''}".strip()[-40:]
    place = f"line {first.get('line', 1)}, near {near!r}: " if near else ""
    return PredicateError(f"{place}it is no SQL predicate ({_ALLOWED})")


_ALLOWED = (
    "AND, OR, NOT, =, <>, <, <=, >, >=, BETWEEN, IN, IS NULL, LIKE, + - * / %, ABS, LEAST, "
    "GREATEST, COALESCE, LOWER are understood"
)

_ORDER: dict[type[exp.Expression], tuple[Any, Any]] = {
    exp.GT: (np.greater, np.less_equal),
    exp.GTE: (np.greater_equal, np.less),
    exp.LT: (np.less, np.greater_equal),
    exp.LTE: (np.less_equal, np.greater),
}
"""The comparison, and what holds where it does not of two numbers that are known."""
_ARITHMETIC: dict[type[exp.Expression], Any] = {
    exp.Add: np.add, exp.Sub: np.subtract, exp.Mul: np.multiply, exp.Div: np.divide,
    exp.Mod: np.fmod,
}  # fmt: skip
_MANY: dict[type[exp.Expression], Any] = {exp.Least: np.minimum, exp.Greatest: np.maximum}

Number = Callable[[Columns], Any]
"""Gives a float64 array, or one float for all rows."""
Words = Callable[[Columns], Column]


class _Reader:
    """Turns a syntax tree into functions of columns."""

    def __init__(self, kinds: Mapping[str, Kind], lists: Mapping[str, frozenset[str]]) -> None:
        self._kinds, self._lists = kinds, lists
        self.names: set[str] = set()

    def flags(self, node: Any, negated: bool, depth: int) -> Callable[[Columns], Flags]:
        """Where `node` is true, or with `negated` where it is false."""
        if depth > DEPTH_MAX:
            raise PredicateError(f"it nests more than {DEPTH_MAX} operations")
        depth += 1
        match node:
            case exp.Paren():
                found = self.flags(_plain(node).this, negated, depth)
            case exp.Not():
                found = self.flags(_plain(node).this, not negated, depth)
            case exp.And() | exp.Or():
                found = self._joined(_plain(node), negated, depth)
            case exp.Is(expression=exp.Null()):
                found = self._is_null(_plain(node).this, negated, depth)
            case exp.Between():
                _plain(node, "low", "high")
                low = exp.GTE(this=node.this, expression=node.args["low"])
                high = exp.LTE(this=node.this, expression=node.args["high"])
                found = self.flags(exp.And(this=low, expression=high), negated, depth)
            case exp.In():
                found = self._is_in(_plain(node, "expressions", "field"), negated, depth)
            case exp.Like():
                _plain(node, "negate")
                found = self._is_like(node, negated is not bool(node.args.get("negate")), depth)
            case exp.EQ() | exp.NEQ():
                found = self._is_equal(_plain(node), negated is isinstance(node, exp.EQ), depth)
            case exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                found = self._is_ordered(_plain(node), negated, depth)
            case _:
                raise PredicateError(
                    f"{_shown(node)} is no condition that is understood ({_ALLOWED})"
                )
        return found

    def _joined(self, node: Any, negated: bool, depth: int) -> Callable[[Columns], Flags]:
        one, other = (self.flags(each, negated, depth) for each in (node.left, node.right))
        if isinstance(node, exp.And) is negated:
            return lambda columns: one(columns) | other(columns)

        def both(columns: Columns) -> Flags:
            first = one(columns)  # nearly always of no row: then the other is not asked
            return first & other(columns) if np.count_nonzero(first) else first

        return both

    def _is_ordered(self, node: Any, negated: bool, depth: int) -> Callable[[Columns], Flags]:
        plain, opposite = _ORDER[type(node)]
        left, right = (self._number(each, depth) for each in (node.this, node.expression))
        compare = opposite if negated else plain
        return _broad(lambda columns: compare(left(columns), right(columns)))

    def _is_null(self, node: Any, negated: bool, depth: int) -> Callable[[Columns], Flags]:
        if self._kind(node) is Kind.TEXT:
            words = self._words(node, depth)
            return _broad(lambda columns: (words(columns) == "") ^ negated)
        number = self._number(node, depth)
        return _broad(lambda columns: np.isnan(number(columns)) ^ negated)

    def _is_equal(self, node: Any, unequal: bool, depth: int) -> Callable[[Columns], Flags]:
        kinds = {self._kind(node.this), self._kind(node.expression)}
        if len(kinds) > 1:
            raise PredicateError(
                f"{_shown(node)} compares a number with a text. Put texts into quotes, numbers not"
            )
        if kinds == {Kind.TEXT}:
            one, other = (self._words(each, depth) for each in (node.this, node.expression))

            def texts(columns: Columns) -> Flags:
                left, right = one(columns), other(columns)
                known = (left != "") & (right != "")
                flags: Flags = known & ((left != right) if unequal else (left == right))
                return flags

            return _broad(texts)
        left, right = (self._number(each, depth) for each in (node.this, node.expression))
        if not unequal:
            return _broad(lambda columns: np.equal(left(columns), right(columns)))

        def numbers(columns: Columns) -> Any:
            a, b = left(columns), right(columns)
            return np.not_equal(a, b) & ~(np.isnan(a) | np.isnan(b))

        return _broad(numbers)

    def _is_in(self, node: exp.In, negated: bool, depth: int) -> Callable[[Columns], Flags]:
        options = node.expressions
        if isinstance(node.args.get("field"), exp.Parameter):
            return self._is_in_list(node, node.args["field"].name, negated, depth)
        if not options or not all(isinstance(each, exp.Literal | exp.Neg) for each in options):
            raise PredicateError(
                f"{_shown(node)} needs a list of values in brackets, such as IN ('DE', 'AT')"
            )
        kinds = {self._kind(each) for each in (node.this, *options)}
        if len(kinds) > 1:
            raise PredicateError(
                f"{_shown(node)} mixes numbers and texts. Put texts into quotes, numbers not"
            )
        if kinds == {Kind.TEXT}:
            listed = frozenset(each.name for each in options)
            return _listed(self._words(node.this, depth), listed, negated)
        values = np.array([self._number(each, depth)({}) for each in options])
        number = self._number(node.this, depth)
        if negated:

            def none_of(columns: Columns) -> Any:
                found = np.asarray(number(columns))
                return ~np.isin(found, values) & ~np.isnan(found)

            return _broad(none_of)
        return _broad(lambda columns: np.isin(number(columns), values))

    def _is_in_list(
        self, node: exp.In, name: str, negated: bool, depth: int
    ) -> Callable[[Columns], Flags]:
        listed = self._lists.get(name)
        if listed is None:
            known = ", ".join(f"@{one}" for one in sorted(self._lists)) or "none"
            raise PredicateError(f"there is no list @{name}; there are: {known}")
        if self._kind(node.this) is not Kind.TEXT:
            raise PredicateError(f"{_shown(node)} asks for a text, and there is a number")
        return _listed(self._words(node.this, depth), listed, negated)

    def _is_like(self, node: exp.Like, negated: bool, depth: int) -> Callable[[Columns], Flags]:
        pattern = node.expression
        if not (isinstance(pattern, exp.Literal) and pattern.is_string):
            raise PredicateError(f"{_shown(node)} needs a pattern in quotes, such as LIKE 'gas%'")
        if self._kind(node.this) is not Kind.TEXT:
            raise PredicateError(f"{_shown(node)} asks for a text, and there is a number")
        parts = {"%": ".*", "_": "."}
        fits = re.compile(
            "".join(parts.get(char, re.escape(char)) for char in pattern.name), re.DOTALL
        ).fullmatch
        words = self._words(node.this, depth)
        if negated:
            return _each(words, lambda word: word != "" and fits(word) is None)
        return _each(words, lambda word: word != "" and fits(word) is not None)

    def _kind(self, node: Any) -> Kind:
        """Of a value; that of what it is made of is checked where it is read."""
        if isinstance(node, exp.Paren):
            return self._kind(node.this)
        if isinstance(node, exp.Literal):
            return Kind.TEXT if node.is_string else Kind.NUMBER
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Coalesce):
            return self._kind(node.this)
        return Kind.TEXT if isinstance(node, exp.Lower) else Kind.NUMBER

    def _column(self, node: exp.Column) -> Kind:
        name = node.sql() if node.table else node.name
        kind = self._kinds.get(name)
        if kind is None:
            near = get_close_matches(name, self._kinds, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise PredicateError(
                f"{name!r} is not known.{meant} Known: {', '.join(sorted(self._kinds))}"
            )
        self.names.add(name)
        return kind

    def _words(self, node: Any, depth: int) -> Words:
        if depth > DEPTH_MAX:
            raise PredicateError(f"it nests more than {DEPTH_MAX} operations")
        depth += 1
        if isinstance(node, exp.Paren):
            return self._words(node.this, depth)
        if isinstance(node, exp.Literal) and node.is_string:
            alone = np.array([node.name], dtype=object)
            return lambda columns: alone
        if isinstance(node, exp.Lower):
            plain = self._words(self._expect(node.this, Kind.TEXT, node), depth)
            return lambda columns: np.array([w.lower() for w in plain(columns)], dtype=object)
        if isinstance(node, exp.Coalesce):
            parts = [self._words(self._expect(each, Kind.TEXT, node), depth)
                     for each in (node.this, *node.expressions)]  # fmt: skip
            return lambda columns: _first([part(columns) for part in parts], lambda x: x == "")
        self._expect(node, Kind.TEXT, node)
        name = node.name
        return lambda columns: columns[name]

    def _number(self, node: Any, depth: int) -> Number:
        if depth > DEPTH_MAX:
            raise PredicateError(f"it nests more than {DEPTH_MAX} operations")
        depth += 1
        match node:
            case exp.Paren():
                return self._number(_plain(node).this, depth)
            case exp.Literal(is_string=False):
                value = _literal(node.name)
                return lambda columns: value
            case exp.Column():
                self._expect(node, Kind.NUMBER, node)
                name = node.name
                return lambda columns: columns[name]
            case exp.Neg() | exp.Abs():
                inner = self._number(_plain(node).this, depth)
                change = np.negative if isinstance(node, exp.Neg) else np.abs
                return lambda columns: change(inner(columns))
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.Mod():
                operation = _ARITHMETIC[type(_plain(node, "typed", "safe"))]
                left, right = (self._number(each, depth) for each in (node.this, node.expression))
                return lambda columns: _finite(operation, left(columns), right(columns))
            case exp.Coalesce() | exp.Least() | exp.Greatest():
                return self._of_many(_plain(node, "expressions", "ignore_nulls"), depth)
        self._expect(node, Kind.NUMBER, node)
        raise PredicateError(f"{_shown(node)} is no number that is understood ({_ALLOWED})")

    def _of_many(self, node: Any, depth: int) -> Number:
        parts = [self._number(each, depth) for each in (node.this, *node.expressions)]
        if isinstance(node, exp.Coalesce):
            return lambda columns: _first([part(columns) for part in parts], np.isnan)
        fold = _MANY[type(node)]
        return lambda columns: _folded(fold, [part(columns) for part in parts])

    def _expect(self, node: Any, kind: Kind, where: Any) -> Any:
        if self._kind(node) is not kind:
            raise PredicateError(f"{_shown(node)} in {_shown(where)} is not a {kind}")
        return node


def _plain(node: Any, *others: str) -> Any:
    """The node, of which nothing but operands and `others` is said.

    What the parser keeps as an argument of a node (`NOT LIKE` is a LIKE with `negate`) would else
    be passed over, and a rule mean what nobody wrote.
    """
    said = {name for name, value in node.args.items() if value}
    if more := said - {"this", "expression", *others}:
        raise PredicateError(f"{_shown(node)} says more than is understood ({', '.join(more)})")
    return node


def _literal(text: str) -> float:
    value = float(text)
    if not isfinite(value) or (abs(value) >= _EXACT and int(value) != _whole(text)):
        raise PredicateError(f"the number {text} cannot be compared exactly: it is too large")
    return value


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _finite(operation: Any, left: Any, right: Any) -> Any:
    with np.errstate(all="ignore"):
        found = operation(left, right)
    return np.where(np.isfinite(found), found, np.nan)


def _folded(fold: Any, parts: Sequence[Any]) -> Any:
    found = parts[0]
    for part in parts[1:]:
        found = fold(found, part)
    return found


def _first(parts: Sequence[Any], unknown: Callable[[Any], Any]) -> Any:
    """Of each row the first part that is known."""
    found = parts[0]
    for part in parts[1:]:
        found = np.where(unknown(found), part, found)
    return found


def _listed(words: Words, listed: frozenset[str], negated: bool) -> Callable[[Columns], Flags]:
    if negated:
        return _each(words, lambda word: word != "" and word not in listed)
    return _each(words, lambda word: word != "" and word in listed)


def _each(words: Words, fits: Callable[[str], bool]) -> Callable[[Columns], Flags]:
    def flags(columns: Columns) -> Flags:
        found = words(columns)
        return np.fromiter((fits(word) for word in found), np.bool_, len(found))

    return _broad(flags)


def _broad(flags: Callable[[Columns], Any]) -> Callable[[Columns], Flags]:
    """For conditions on constants, too: a flag a row."""

    def broad(columns: Columns) -> Flags:
        found = flags(columns)
        size = len(next(iter(columns.values())))
        return found if found.shape == (size,) else np.broadcast_to(found, (size,))

    return broad


def _shown(node: Any) -> str:
    text: str = node.sql()
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
