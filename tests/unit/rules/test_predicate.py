"""A predicate means what SQL means by it: held against SQLite, row by row."""

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.rules.predicate import Columns, Kind, PredicateError, read

KINDS = {"a": Kind.NUMBER, "b": Kind.NUMBER, "country": Kind.TEXT, "channel": Kind.TEXT}
NUMBERS = st.sampled_from([None, 0.0, 1.0, -1.0, 2.5, 100.0, 1e9, 0.1])
TEXTS = st.sampled_from([None, "DE", "AT", "de", "online", "online_x", "50%"])
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, TEXTS, TEXTS), min_size=1, max_size=12)

number = st.recursive(
    st.sampled_from(["a", "b", "0.0", "1.0", "2.5", "-1.0", "100.0"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda x: f"ABS({x})"),
        st.tuples(inner, inner).map(lambda t: f"COALESCE({t[0]}, {t[1]})"),
    ),
    max_leaves=4,
)
word = st.one_of(
    st.sampled_from(["country", "channel", "'DE'", "'online'"]),
    st.just("COALESCE(country, channel)"), st.just("LOWER(country)"),
)  # fmt: skip
leaf = st.one_of(
    st.tuples(number, st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]), number).map(" ".join),
    st.tuples(word, st.sampled_from(["=", "<>"]), word).map(" ".join),
    st.tuples(number, number, number).map(lambda t: f"{t[0]} BETWEEN {t[1]} AND {t[2]}"),
    number.map(lambda x: f"{x} IN (0.0, 1.0, -1.0)"),
    number.map(lambda x: f"{x} NOT IN (0.0, 2.5)"),
    word.map(lambda x: f"{x} IN ('DE', 'online')"),
    word.map(lambda x: f"{x} NOT IN ('DE', 'x')"),
    word.map(lambda x: f"{x} LIKE 'o%'"),
    word.map(lambda x: f"{x} NOT LIKE '_E'"),
    number.map(lambda x: f"{x} IS NULL"),
    word.map(lambda x: f"{x} IS NOT NULL"),
)
predicate = st.recursive(
    leaf,
    lambda inner: st.one_of(
        inner.map(lambda x: f"NOT ({x})"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
            lambda t: f"({t[0]}) {t[1]} ({t[2]})"
        ),
    ),
    max_leaves=5,
)


def columns(rows: list[tuple[object, ...]]) -> Columns:
    a, b, country, channel = zip(*rows, strict=True)
    return {
        "a": np.array([np.nan if x is None else x for x in a], dtype=float),
        "b": np.array([np.nan if x is None else x for x in b], dtype=float),
        "country": np.array([x or "" for x in country], dtype=object),
        "channel": np.array([x or "" for x in channel], dtype=object),
    }


def by_sqlite(text: str, rows: list[tuple[object, ...]]) -> list[bool]:
    with sqlite3.connect(":memory:") as base:
        base.execute("PRAGMA case_sensitive_like = ON")
        base.execute("CREATE TABLE t (a REAL, b REAL, country TEXT, channel TEXT)")
        base.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
        fired = base.execute(f"SELECT rowid FROM t WHERE {text}")
        found = {row for (row,) in fired}
    return [at + 1 in found for at in range(len(rows))]


@given(predicate, ROWS)
@settings(max_examples=250, deadline=None)
def test_it_fires_where_sqlite_says_that_it_is_true(
    text: str, rows: list[tuple[object, ...]]
) -> None:
    assert read(text, KINDS).holds(columns(rows)).tolist() == by_sqlite(text, rows)


def test_a_list_is_asked_by_its_name() -> None:
    data = columns([(1.0, 1.0, text, "") for text in ("DE", "FR", "")])
    lists = {"home": frozenset({"DE", "AT"})}
    for text, fires in (
        ("country IN @home", [True, False, False]),
        ("country NOT IN @home", [False, True, False]),
        ("NOT country IN @home OR a > 5", [False, True, False]),
    ):
        assert read(text, KINDS, lists).holds(data).tolist() == fires
    with pytest.raises(PredicateError, match="no list @hom; there are: @home"):
        read("country IN @hom", KINDS, lists)
    with pytest.raises(PredicateError, match="asks for a text"):
        read("a IN @home", KINDS, lists)


def test_it_knows_what_it_asks_of() -> None:
    assert read("a > 1 AND (b > 2 OR country = 'DE')", KINDS).names == {"a", "b", "country"}


@pytest.mark.parametrize("text", ["a / b > 0", "a * a > 0", "a % b = 0", "a / b < 0"])
def test_a_result_that_is_no_number_is_not_known(text: str) -> None:
    data = {**columns([(None, None, None, None)] * 2)}
    data["a"], data["b"] = np.array([1e200, 1.0]), np.array([0.0, 0.0])
    expected = [False, text == "a * a > 0"]
    assert read(text, KINDS).holds(data).tolist() == expected
    unknown = read(f"NOT ({text})", KINDS).holds(data).tolist()
    assert unknown == [False, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no condition"),
        ("amonut > 1", "'amonut' is not known"),
        ("countri = 'DE'", "Did you mean country?"),
        ("a > 'x'", "not a number"),
        ("country > 'a'", "not a number"),
        ("country = 3", "compares a number with a text"),
        ("a IN ('DE')", "mixes numbers and texts"),
        ("a LIKE 'x'", "asks for a text"),
        ("a", "no condition"),
        ("a >", "near 'a >'"),
        ("a > 1; DROP TABLE t", "more than one condition"),
        ("(SELECT 1) > 0", "no number that is understood"),
        ("a IN (SELECT 1)", "says more than is understood"),
        ("a IN (b, 1)", "needs a list of values"),
        ("country LIKE 'a' ESCAPE 'b'", "no condition that is understood"),
        ("a > 9007199254740993", "too large"),
        ("a > 1e400", "too large"),
        ("SLEEP(1) > 0", "no number that is understood"),
        ("'open", "not closed"),
        (" AND ".join(["a > 1"] * 400), "at most 2000"),
        ("NOT " * 60 + "a > 1", "nests more than 50"),
    ],
)
def test_what_cannot_be_used_is_refused_and_says_why(text: str, told: str) -> None:
    with pytest.raises(PredicateError, match=told.replace("?", r"\?")):
        read(text, KINDS)


def test_a_constant_gives_a_flag_a_row() -> None:
    assert read("1 = 1", KINDS).holds(columns([(1.0, 1.0, "", "")] * 3)).tolist() == [True] * 3
