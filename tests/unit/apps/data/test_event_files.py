"""Files to events: four formats told apart by content, clear errors for the rest."""

import gzip
import json
import os
from pathlib import Path

import pytest

from apps.data.event_files import read
from apps.data.publish import Event
from apps.data.text_files import FileError
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.parse import parse as parse_transaction
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.parse import parse as parse_reading
from stormwatch.records import Rejection

NOW = 1_795_252_530_000
HANDBOOK = (
    "tx_id,t,customer,terminal,amount,fraud,scenario\n"
    "0,31,596,3156,57.16,0,0\n"
    "1,130,4961,3412,8.1,1,2\n"
)
CMAPSS = (
    "1 1 -0.0007 -0.0004 100.0 518.67 641.82 1589.70 1400.60 14.62 21.61 554.36 2388.06 9046.19 "
    "1.30 47.47 521.66 2388.02 8138.62 8.4195 0.03 392 2388 100.00 39.06 23.4190  \n"
    "1 2 0.0019 -0.0003 100.0 518.67 642.15 1591.82 1403.14 14.62 21.61 553.75 2388.04 9044.07 "
    "1.30 47.49 522.28 2388.07 8131.49 8.4318 0.03 392 2388 100.00 39.00 23.4236  \n"
)


@pytest.fixture
def put(tmp_path: Path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def refused(event: Event, parse=parse_transaction) -> str:
    """The code and the reason with which the pipeline refuses it."""
    rejection = parse(event.value, NOW, future_skew_ms=0)
    assert isinstance(rejection, Rejection)
    return f"{rejection.code} {rejection.reason}"


def transactions(path: Path) -> list[Event]:
    return list(read([path], "transactions", "r9"))


def readings(path: Path) -> list[Event]:
    return list(read([path], "readings", "r9"))


@pytest.mark.parametrize("name", ["h.csv", "h.csv.gz"])
def test_the_handbook(put, name: str) -> None:
    first, second = transactions(put(name, HANDBOOK))
    assert first.key == b"hb-c596"
    assert json.loads(first.value) == {
        "type": "transaction", "id": "hb-0", "customer": "hb-c596", "terminal": "hb-t3156",
        "time": "2018-04-01T00:00:31Z", "amount": 5716, "currency": "EUR",
    }  # fmt: skip
    assert json.loads(second.value)["amount"] == 810
    event = parse_transaction(first.value, NOW, future_skew_ms=0)
    assert isinstance(event, Transaction)
    assert (event.customer.encode(), event.time) == (first.key, 1_522_540_831_000)


def test_cmapss(put) -> None:
    first, second = readings(put("train_FD001.txt", CMAPSS))
    assert first.key == second.key == b"FD001/r9/1"
    value = json.loads(second.value)
    assert value["id"] == "r9-1-2"
    assert value["time"] == "2000-01-01T02:00:00Z"
    assert value["settings"] == [0.0019, -0.0003, 100.0]
    assert len(value["sensors"]) == 21
    assert (value["sensors"]["T2"], value["sensors"]["W32"]) == (518.67, 23.4236)
    event = parse_reading(first.value, NOW, future_skew_ms=0)
    assert isinstance(event, Reading)
    assert (event.cycle, event.unit) == (1, "FD001/r9/1")


def test_json_lines_are_passed_on_as_they_are(put) -> None:
    lines = [
        '{"customer": "c-1", "x": 1}',
        " ",
        "not json",
        '{"customer": 7}',
        '{"unit": "u"}',
        "[]",
    ]
    got = transactions(put("a.jsonl", "\ufeff" + "\r\n".join(lines)))
    assert got == [
        Event(b"c-1", b'{"customer": "c-1", "x": 1}'),
        *(Event(None, line.encode()) for line in lines[2:]),
    ]
    assert readings(put("b.jsonl", '{"unit": "F/r/\\u00fc"}'))[0].key == "F/r/ü".encode()


def test_json_lines_that_begin_with_rubbish(put) -> None:
    got = transactions(put("a.txt", 'rubbish, \xff\n{"customer": "c"}\n'.encode("latin-1")))
    assert [event.key for event in got] == [None, b"c"]


def test_csv_of_transactions(put) -> None:
    header = "id,customer,terminal,time,amount,currency,merchant\n"
    rows = (
        't1,c1,p1,2026-11-21T09:15:30Z,1250,EUR,"Meier, ""Bäcker"""\n'
        "t2,c2,p1,2026-11-21T09:15:30Z,12.50,EUR,\n"
        "t3,c3\n"
        "t4,,p1,2026-11-21T09:15:30Z,1250,EUR,\n"
        "t5,c5,p1,2026-11-21T09:15:30Z,,EUR,\n"
    )
    good, decimals, short, keyless, free = transactions(put("t.csv", header + rows))
    assert good.key == b"c1"
    assert isinstance(parse_transaction(good.value, NOW, future_skew_ms=0), Transaction)
    assert json.loads(good.value)["merchant"] == 'Meier, "Bäcker"'
    assert json.loads(decimals.value)["amount"] == "12.50"  # refused by the pipeline, not here
    assert "merchant" not in json.loads(decimals.value)
    assert refused(short).startswith("unknown_type")
    assert "a CSV row of 2 cells under a header of 7" in refused(short)
    assert json.loads(short.value)["id"] == "t3"
    assert keyless.key is None
    assert refused(keyless).startswith("missing_field `customer` is missing")
    assert "amount" not in json.loads(free.value)


def test_csv_of_readings(put) -> None:
    path = put(
        "r.csv",
        "id,unit,time,cycle,setting1,setting2,T24,Nf\n"
        "i1,F/r/1,2026-11-21T09:00:00Z,7,0.5,,641.82,2388\n"
        "i2,F/r/1,2026-11-21T10:00:00Z,x,0.5,1,ERR,2388\n",
    )
    good, bad = readings(path)
    assert json.loads(good.value) == {
        "id": "i1", "unit": "F/r/1", "time": "2026-11-21T09:00:00Z", "cycle": 7,
        "settings": [0.5], "sensors": {"T24": 641.82, "Nf": 2388.0},
    }  # fmt: skip
    assert isinstance(parse_reading(good.value, NOW, future_skew_ms=0), Reading)
    assert json.loads(bad.value)["cycle"] == "x"
    assert json.loads(bad.value)["sensors"]["T24"] == "ERR"


@pytest.mark.parametrize(("name", "line"), [
    ("h.csv", b"7,x,596,3156,57.16,0,0"), ("h.csv", b"7,1,2"), ("h.csv", b"7,1,5,3,inf,0,0"),
    ("h.csv", b"7,99999999999999999999,5,3,1,0,0"), ("h.csv", b"7,1_0,5,3,1,0,0"),
    ("h.csv", b"7,10,5,3,1_0.5,0,0"),
])  # fmt: skip
def test_a_broken_line_says_what_it_is(put, name: str, line: bytes) -> None:
    (got,) = transactions(put(name, HANDBOOK.encode() + line + b"\n"))[2:]
    assert got.key is None
    assert refused(got).startswith("unknown_type")
    assert "a row that is not one of the handbook's transactions" in refused(got)
    assert json.loads(got.value)["line"] == line.decode()


def test_a_line_that_is_no_text_is_sent_raw(put) -> None:
    (got,) = transactions(put("h.csv", HANDBOOK.encode() + b"9,1,Bj\xf6rn\n"))[2:]
    assert got == Event(None, b"9,1,Bj\xf6rn")
    assert refused(got).startswith("not_utf8")


@pytest.mark.parametrize(
    "line", ["1 3 0.1", "1 x" + " 0" * 24, "1_0 3" + " 0" * 24, "1 3" + " 0" * 25]
)
def test_a_broken_cmapss_line_says_what_it_is(put, line: str) -> None:
    (got,) = readings(put("train_FD001.txt", CMAPSS + line))[2:]
    assert got.key is None
    assert refused(got, parse_reading).startswith("unknown_type")
    assert "a row that is not a C-MAPSS reading of 26 numbers" in refused(got, parse_reading)
    assert json.loads(got.value)["line"] == line


@pytest.mark.parametrize("cell", ["nan", "inf", "1_000"])
def test_a_cmapss_cell_that_is_no_number_is_refused_as_it_is(put, cell: str) -> None:
    (got,) = readings(put("train_FD001.txt", CMAPSS + "1 3" + " 0" * 23 + " " + cell))[2:]
    assert got.key == b"FD001/r9/1"
    why = refused(got, parse_reading)
    assert why.startswith("wrong_type `sensors.W32`")
    assert cell in why


def test_files_follow_each_other(put) -> None:
    paths = [put("train_FD001.txt", CMAPSS), put("x.jsonl", '{"unit": "F/r/1"}\n')]
    assert len(list(read(paths, "readings", "r9"))) == 3


@pytest.mark.parametrize(
    ("name", "content", "events", "says"),
    [
        ("e.csv", "", "transactions", "is empty"),
        ("e.csv", " \n\n", "transactions", "is empty"),
        ("b.bin", b"\x7fELF\0\0", "transactions", "NUL bytes"),
        ("u.txt", "id,unit\n1,2\n".encode("utf-16"), "transactions", "CSV in UTF-8"),
        ("x.txt", "hello\nworld\n", "readings", "no known format"),
        ("x.csv", "id;Händler\n1;2\n".encode("latin-1"), "transactions", "not UTF-8"),
        ("x.csv", "id,customer\n1,2\n", "transactions", "no column terminal, time, amount"),
        ("x.csv", "id,customer\n1,2\n", "readings", "no column unit"),
        ("h.csv", HANDBOOK, "readings", "publish transactions"),
        ("c.txt", CMAPSS, "transactions", "publish readings"),
        ("broken", gzip.compress(HANDBOOK.encode() * 100)[:-20], "transactions", "cannot be read"),
    ],
)
def test_what_cannot_be_published_says_why(put, name, content, events, says) -> None:
    with pytest.raises(FileError, match=says):
        list(read([put(name, content)], events, "r9"))


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(FileError, match="cannot be read"):
            read([path], "readings", "r9")


@pytest.mark.parametrize(
    ("name", "events", "count"),
    [
        ("handbook/transactions_2018-09-01_04.csv.gz", "transactions", None),
        ("cmapss/test_FD001.txt", "readings", 13_096),
    ],
)
def test_the_public_files_are_events_throughout(name: str, events: str, count: int | None) -> None:
    data = os.environ.get("STORMWATCH_DATA")
    path = Path(data or "", name)
    if not data:
        pytest.skip("STORMWATCH_DATA names no folder with the public files")
    got = list(read([path], events, "r9"))
    assert count is None or len(got) == count
    parse, kind = (
        (parse_transaction, Transaction) if events == "transactions" else (parse_reading, Reading)
    )
    parsed = [parse(event.value, NOW, future_skew_ms=0) for event in got]
    odd = [p for p in parsed if not isinstance(p, kind)]
    assert len(odd) <= len(got) / 1000, odd[:3]
