"""Files of another format: rows keep their cells and are keyed by the mapping."""

import gzip
from pathlib import Path

import msgspec
import pytest

from apps.data import mapped_rows, mappings
from apps.data.text_files import FileError
from stormwatch.domains.fraud.parse import TARGET
from stormwatch.parsing.mapping import MappingError, made, text_of

SPARKOV = (
    "trans_date_trans_time,cc_num,merchant,category,amt,trans_num\n"
    "2019-01-01 00:00:18,4111111111111111,fraud_Rippin,misc_net,4.97,0b242abb623afc57\n"
    "2019-01-01 00:00:44,4111111111111111,fraud_Heller,grocery,107.2,1f76529f85747349\n"
)


def look(mapping: str, path: Path) -> mappings.Outcome:
    """What a mapping makes of a file."""
    mapped, _ = mappings.ready(mapping)
    return mappings.applied(mapped, mapped_rows.values(path, mapped.csv))


def test_cells_stay_texts_and_the_key_is_the_mapping_s_entity(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(SPARKOV.encode()))
    mapped = made("preset:sparkov", TARGET)
    first, second = mapped_rows.read([path], mapped)
    cells = msgspec.json.decode(first.value)
    assert cells["amt"] == "4.97" and (cells["_file"], cells["_row"]) == ("rows.csv.gz", "1")
    assert first.key == second.key == mapped.entity(first.value).encode()
    assert b"4111" not in first.key
    event = mapped.parse(second.value, -1, future_skew_ms=0)
    assert (event.amount, event.currency, event.entity.encode()) == (10720, "USD", second.key)


def test_json_lines_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"tx_id":"1","t":1,"customer":7,"terminal":8,"amount":9.5}\n')
    (event,) = mapped_rows.read([path], made("preset:handbook", TARGET))
    assert event.value == path.read_bytes().strip() and event.key == b"hb-c7"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("amt,cc_num,amt\n1,2,3\n")
    with pytest.raises(FileError, match="two columns named amt"):
        list(mapped_rows.read([path], made("preset:sparkov", TARGET)))


def test_what_is_refused_is_counted_with_an_example(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(SPARKOV.replace("107.2", "107,2") + "2019-01-01 00:01,1,a,b,1,x\n")
    sample = look("preset:sparkov", path)
    assert sample.rows == 3 and sample.refused == {"wrong_type": 1, "bad_time": 1}
    assert "7 cells under a header of 6" in sample.examples["wrong_type"].reason


def test_a_mapping_is_a_file_a_preset_or_its_text(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text_of("preset:sparkov"))
    assert text_of(str(path)) == text_of(path.read_text()) == path.read_text()
    for absent in (str(tmp_path / "no.toml"), "preset:no"):
        with pytest.raises(MappingError):
            text_of(absent)
