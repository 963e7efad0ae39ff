"""CSV as programs write it: dialects, quotes, headers, and rows that are no events."""

import json
import os
import tracemalloc
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
PARSERS = {"transactions": parse_transaction, "readings": parse_reading}
HEADER = "id,customer,terminal,time,amount,currency,note"
GOOD = "t-{},c-1,p-1,2026-11-21T09:15:30Z,1250,EUR,{}"
READING = "id,unit,time,cycle,"


@pytest.fixture
def publish(tmp_path: Path):
    def events(text: str | bytes, kind: str = "transactions") -> list[Event]:
        path = tmp_path / "events.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return list(read([path], kind, "r9"))

    return events


def parsed(event: Event, kind: str = "transactions") -> Transaction | Reading | Rejection:
    return PARSERS[kind](event.value, NOW, future_skew_ms=0)


def table(*rows: str, delimiter: str = ",") -> str:
    return "\n".join(row.replace(",", delimiter) for row in (HEADER, *rows)) + "\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ", "])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_any_separator_is_told_by_the_header(publish, delimiter: str, ending: str) -> None:
    text = table(GOOD.format(1, ""), GOOD.format(2, "x"), delimiter=delimiter)
    got = publish("\ufeff" + text.replace("\n", ending))
    assert [parsed(event).id for event in got] == ["t-1", "t-2"]
    assert [event.key for event in got] == [b"c-1"] * 2
    assert "note" not in json.loads(got[0].value)


def test_quoted_cells_hold_separators_quotes_and_line_breaks(publish) -> None:
    text = f'"id","customer",{HEADER[12:]}\r\n' + GOOD.format(1, '"left, at\r\n\r\nthe ""door"""')
    first, second = publish(text + "\r\n" + GOOD.format(2, "x"))
    assert json.loads(first.value)["note"] == 'left, at\n\nthe "door"'
    assert [parsed(event).id for event in (first, second)] == ["t-1", "t-2"]


def test_blank_rows_are_passed_over(publish) -> None:
    assert len(publish(table("", GOOD.format(1, ""), "  ", ",,,,,,", GOOD.format(2, "")))) == 2


@pytest.mark.parametrize(
    ("row", "code", "says"),
    [
        (GOOD.format(1, "x") + ",y", "unknown_type", "a CSV row of 8 cells under a header of 7"),
        (GOOD.format(1, "x")[:-2], "unknown_type", "a CSV row of 6 cells under a header of 7"),
        (GOOD.format(1, "").replace("c-1", ""), "missing_field", "`customer` is missing"),
        (GOOD.format(1, '"a" b'), "unknown_type", "a CSV row that cannot be read: ',' expected"),
        (GOOD.format(1, "").replace("1250", "1_250"), "wrong_type", '"1_250"'),
        (GOOD.format(1, "").replace("1250", "١٢٥٠"), "wrong_type", "`amount`"),
    ],
)
def test_a_row_that_is_no_event_says_what_it_is_and_is_kept(publish, row, code, says) -> None:
    bad, good = publish(table(row, GOOD.format(2, "")))
    rejection = parsed(bad)
    assert isinstance(rejection, Rejection)
    assert rejection.code == code
    assert says in rejection.reason
    kept = json.loads(bad.value)  # JSON: mended, it can be published
    assert "t-1" in (kept.get("id"), kept.get("line", "")[:3])
    assert parsed(good).id == "t-2"


def test_separators_that_close_each_row_are_no_cells(publish) -> None:
    (event,) = publish(table(GOOD.format(1, "x") + ",,"))
    assert isinstance(parsed(event), Transaction)


@pytest.mark.parametrize("rest", ["", '"x"'])
def test_a_quote_that_does_not_end_costs_its_own_row_alone(publish, rest: str) -> None:
    """The rows behind it are events, whether another quote comes or none at all."""
    rows = [GOOD.format(1, '"x'), *(GOOD.format(n, "y") for n in range(2, 3000))]
    bad, *good = publish(table(*rows, GOOD.format(3000, rest)))
    assert json.loads(bad.value)["line"] == rows[0]
    assert "cannot be read" in parsed(bad).reason
    assert [parsed(event).id for event in good] == [f"t-{n}" for n in range(2, 3001)]


def test_a_row_that_is_not_utf8_is_sent_as_it_is(publish) -> None:
    row = GOOD.format(1, "Bäcker").encode("latin-1")
    bad, good = publish(table("").encode() + row + b"\n" + GOOD.format(2, "").encode())
    assert bad == Event(None, row)
    assert parsed(bad).code == "not_utf8"
    assert parsed(good).id == "t-2"


@pytest.mark.parametrize(
    ("header", "kind", "says"),
    [
        ("id,customer,terminal,time,amount,currency,amount", "transactions", "two .* named amount"),
        (HEADER + ",note", "transactions", "two columns named note"),
        ("id,customer,terminal,time,amount", "transactions", "no column currency"),
        (READING + "T24,RUL,failure", "readings", "neither fields nor sensors: RUL, failure"),
        (READING + "T24,T24", "readings", "two columns named T24"),
        (READING + "t24,T30", "readings", "neither fields nor sensors: t24"),
        (READING + "setting1", "readings", "no column of a sensor"),
        (READING + "setting1,setting3,T24", "readings", "setting3 but none setting2"),
        (READING + "setting0,T24", "readings", "setting0 but none setting1"),
    ],
)
def test_a_header_is_checked_before_anything_is_sent(publish, header, kind, says) -> None:
    with pytest.raises(FileError, match=says):
        publish(header + "\n" + "1," * header.count(",") + "1\n", kind)


def test_a_column_without_a_name_is_no_field(publish) -> None:
    """Such as the index that pandas writes."""
    (event,) = publish(f",{READING}T24\n0,i-1,F/r/1,2026-11-21T09:00:00Z,7,641.8\n", "readings")
    assert parsed(event, "readings").sensors == {"T24": 641.8}
    (event,) = publish(f",{HEADER},\n0,{GOOD.format(1, 'x')},\n")
    assert parsed(event).id == "t-1"


@pytest.mark.parametrize(
    ("cells", "settings", "reason"),
    [
        ("0.5,0.84,100", (0.5, 0.84, 100.0), ""),
        ("0.5,0.84,", (0.5, 0.84), ""),
        (",,", (), ""),
        (",0.84,100", None, "`settings[0]` cannot be used, expected `float`, got `null`"),
        ("0.5,NaN,100", None, '`settings[1]` cannot be used, expected `float`, got `str`: "NaN"'),
    ],
)
def test_operating_settings_keep_their_places(publish, cells, settings, reason) -> None:
    header = READING + "setting2,setting1,setting3,T24\n"
    second, first, third = cells.split(",")[1], cells.split(",")[0], cells.split(",")[2]
    row = f"i-1,F/r/1,2026-11-21T09:00:00Z,7,{second},{first},{third},641.8\n"
    (event,) = publish(header + row, "readings")
    found = parsed(event, "readings")
    assert event.key == b"F/r/1"
    if settings is None:
        assert (found.code, reason in found.reason) == ("wrong_type", True)
    else:
        assert found.settings == settings


@pytest.mark.parametrize("cell", ["1_000", "NaN", "inf", "-inf", "1e999", "ERR", "١٢", "0x10"])
def test_a_sensor_cell_that_is_no_number_is_refused_with_its_text(publish, cell: str) -> None:
    text = f"{READING}T24,T30\ni-1,F/r/1,2026-11-21T09:00:00Z,7, 641.8 ,{cell}\n"
    (event,) = publish(text, "readings")
    rejection = parsed(event, "readings")
    assert isinstance(rejection, Rejection)
    assert rejection.code == "wrong_type"
    assert "`sensors.T30`" in rejection.reason
    assert json.loads(event.value)["sensors"] == {"T24": 641.8, "T30": cell}


def test_an_empty_sensor_cell_is_an_absent_sensor(publish) -> None:
    text = f"{READING}T24,T30\ni-1,F/r/1,2026-11-21T09:00:00Z,7,,1500\n"
    assert parsed(publish(text, "readings")[0], "readings").sensors == {"T30": 1500.0}


def test_a_pipe_is_read(publish) -> None:
    reading, writing = os.pipe()
    os.write(writing, table(GOOD.format(1, "x")).encode())
    os.close(writing)
    try:
        (event,) = read([Path(f"/dev/fd/{reading}")], "transactions", "r9")
    finally:
        os.close(reading)
    assert parsed(event).id == "t-1"


def test_a_file_larger_than_memory_may_be_is_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text(table(*(GOOD.format(n, "x" * 500) for n in range(10_000))))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read([path], "transactions", "r9")) == 10_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
