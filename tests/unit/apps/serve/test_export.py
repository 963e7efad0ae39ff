"""Exports: the right columns, no formulas, and memory that does not grow with the rows."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from apps.serve.export import _WRITERS as WRITERS
from apps.serve.export import cell
from tests.models.asked import Api, asked
from tests.models.decided_payments import CARD, CUSTOMERS


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with asked() as made:
        yield made


def rows(api: Api, **asked: object) -> list[dict[str, str]]:
    answer = api.get("/v1/export", domain="fraud", **asked)
    assert answer.status == 200, answer.body
    return list(csv.DictReader(io.StringIO(answer.body.decode())))


def test_alerts_open_with_the_right_columns(api: Api) -> None:
    answer = api.get("/v1/export", domain="fraud", what="alerts")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="fraud-alerts.csv"'
    found = rows(api, what="alerts")
    assert [row["id"] for row in found] == ["t27", "t18", "t9", "t0"]
    assert found[0]["time"] == "2010-01-01T00:00:27.000+00:00"
    assert (found[0]["reasons"], found[0]["rules"]) == ("at night; small", "b a")
    assert len(rows(api, what="alerts", rows=2)) == 2 and rows(api, outcome="review") == []


def test_decisions_and_letters_and_what_cannot_be(api: Api) -> None:
    of = rows(api, what="decisions", entity=CUSTOMERS[2])
    assert len(of) == 10 and of[0]["entity"] == CUSTOMERS[2]
    (letter,) = rows(api, what="letters")
    assert letter["code"] == "missing_field" and CARD not in letter["value"]
    assert api.get("/v1/export", domain="fraud", what="decisions").status == 422
    assert api.get("/v1/export", domain="frauds").status == 404
    too_many = api.get("/v1/export", domain="fraud", rows=1_000_001)
    assert too_many.status == 422 and "<= 1000000" in json.loads(too_many.body)["error"]
    lines = api.get("/v1/export", domain="fraud", format="jsonl").body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["t27", "t18", "t9", "t0"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("+1", "'+1"), ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\\t=1"), ("＝1", "'＝1"), ("a=1", "a=1"),
        ("\x1b[31mred", "\\x1b[31mred"), ("two\nlines", "two\\nlines"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_or_moves_a_cursor(text: str, shown: str) -> None:
    assert cell(text) == shown and cell(-1.5) == -1.5 and cell(None) == ""


def test_many_rows_stream_with_flat_memory() -> None:
    def many() -> Iterator[dict[str, Any]]:
        for i in range(60_000):
            yield {"id": f"t{i}", "text": "x" * 50, "score": i / 7}

    for form in ("csv", "jsonl"):
        tracemalloc.start()
        total = sum(map(len, WRITERS[form](many())))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total > 3_000_000 and peak < 1_000_000, form


def test_parquet_says_what_is_missing_or_reads_back(api: Api) -> None:
    answer = api.get("/v1/export", domain="fraud", format="parquet")
    try:
        from pyarrow import parquet
    except ImportError:
        assert answer.status == 422 and "pip install pyarrow" in json.loads(answer.body)["error"]
        return
    table = parquet.read_table(io.BytesIO(answer.body))
    assert table.column("id").to_pylist() == ["t27", "t18", "t9", "t0"]
