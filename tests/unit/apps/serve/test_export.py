"""Exports: the right columns, no formulas, and memory that does not grow with the rows."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator, Sequence
from threading import Lock

import pytest

from apps.serve.export import Export, cell, exported
from apps.serve.reader import Reader
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.records import DecisionKey, DecisionRow
from stormwatch.state.decided import SLOT_MS, Entry
from tests.models.asked import Api, asked
from tests.models.decided_payments import CARD, CUSTOMERS, SETTINGS, T0


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


class Endless(MemoryStore):
    """Decides 100 payments a second, for as long as it is asked."""

    def decided(self, domain: str, since: int, until: int) -> Iterator[list[Entry]]:
        for slot in range((until - 1) // SLOT_MS, since // SLOT_MS - 1, -1):
            at = slot * SLOT_MS
            some = (
                Entry(0, f"C{i}", at, f"{slot}-{i:02}", at, "approve", "m", (), 0.5)
                for i in range(100)
            )
            yield [e for e in some if since <= e.timestamp < until]

    def find_decisions(self, domain: str, keys: Sequence[DecisionKey]) -> list[DecisionRow]:
        body = b'{"not": "of this version"}'
        return [
            DecisionRow(k.stripe, k.entity, k.time, k.id, "approve", 0.5, body, k.time, False)
            for k in keys
        ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_holds_no_more_than_a_page_however_long_it_is(form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")

    def peak(rows: int) -> int:
        reader = Reader(Endless(), SETTINGS, lambda _: pytest.fail("Kafka is not asked"), Lock())
        chunks = exported(reader, Export("fraud", what="decided", format=form, rows=rows)).chunks
        tracemalloc.start()
        held, total = 0, 0
        for chunk in chunks:
            total += len(chunk)
            held = max(held, tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert total > (2 if form == "parquet" else 100) * rows
        return held

    peak(600)  # what is imported and cached once
    assert peak(3_200) < peak(1_200) + 200_000


def test_decided_and_fleet(api: Api) -> None:
    since = {"since": T0, "until": T0 + 60_000}
    found = rows(api, what="decided", **since)
    assert len(found) == 30 and found[0]["id"] == "t29"
    assert [row["id"] for row in rows(api, what="decided", outcome="decline", **since)] == [
        "t27", "t18", "t9", "t0",
    ]  # fmt: skip
    fleet = rows(api, what="fleet")
    assert sorted(row["id"] for row in fleet) == ["t27", "t28", "t29"]
    assert {row["pace_ms"] for row in fleet} == {"3000"}


def test_parquet_says_what_is_missing_or_reads_back(api: Api) -> None:
    answer = api.get("/v1/export", domain="fraud", format="parquet")
    try:
        from pyarrow import parquet
    except ImportError:
        assert answer.status == 422 and "pip install pyarrow" in json.loads(answer.body)["error"]
        return
    table = parquet.read_table(io.BytesIO(answer.body))
    assert table.column("id").to_pylist() == ["t27", "t18", "t9", "t0"]
