"""Mappings of sensor readings: wide and long tables, missing cells, the rest of the numbers."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.maintenance.parse import TARGET as READING
from stormwatch.parsing.mapping import MappingError, Target, compiled, read, values
from stormwatch.records import Rejection

TARGET = Target(
    "readings", ("id", "unit", "time"), ("cycle", "event"), "unit",
    lambda found, value, timestamp, skew: found, readers={"cycle": values.whole},
)  # fmt: skip

HEAD = """
event = "readings"
absent = ["NA", "nan"]
{}
[fields.id]
hash = ["pump", "at"]

[fields.unit]
path = "pump"

[fields.time]
path = "at"
form = "epoch_s"
"""
WIDE = HEAD.format('settings = ["rpm"]') + (
    '[sensors]\nvibration = "vib"\n[sensors.temperature]\npath = "t.out"\nunit = "°C"\n'
)
LONG = HEAD.format("") + '[long]\nsensor = "tag"\nvalue = "value"\nnames = {V1 = "vibration"}\n'


def parse(toml: str, **record: Any) -> Any:
    mapped = compiled(read(toml, "m.toml"), TARGET, "m.toml")
    return mapped.parse(msgspec.json.encode({"pump": "p1", "at": 0, **record}), 0, future_skew_ms=0)


def test_a_row_of_sensors() -> None:
    found = parse(WIDE, vib="0.5", t={"out": 60}, rpm="1450", status="OK")
    assert (found["unit"], found["settings"]) == ("p1", (1450.0,))
    assert found["sensors"] == {"vibration": 0.5, "temperature": 60.0}
    assert found["time"] == 0  # ms


@pytest.mark.parametrize("cell", ["", "NA", "nan", None])
def test_a_missing_cell_is_an_absent_sensor(cell: Any) -> None:
    assert parse(WIDE, vib=cell, t={"out": 60})["sensors"] == {"temperature": 60.0}
    assert parse(WIDE, vib=1, rpm=cell)["settings"] == ()


@pytest.mark.parametrize("cell", ["ERR", "NaN", "Infinity", "1e999", "0x1F", "1_000", True, [1]])
def test_what_is_no_number_is_refused_by_its_own_name(cell: Any) -> None:
    got = parse(WIDE, vib=cell)
    assert isinstance(got, Rejection) and got.field == "vib"
    assert got.code in ("wrong_type", "out_of_range")


def test_the_rest_of_the_numbers_are_sensors() -> None:
    rest = HEAD.format('sensors = "rest"\nwithout = ["row"]')
    found = parse(rest, vib="-1.5e-3", heat=60, row=7, status="OK", on=True, gone="NA", _row="1")
    assert found["sensors"] == {"vib": -0.0015, "heat": 60.0}


def test_one_sensor_a_record() -> None:
    assert parse(LONG, tag="V1", value="0.5")["sensors"] == {"vibration": 0.5}
    assert parse(LONG, tag="V1", value="NA")["sensors"] == {}
    unknown = parse(LONG, tag="V2", value="0.5")
    assert (unknown.code, unknown.field) == ("out_of_range", "tag")


def test_numbers_with_a_decimal_comma() -> None:
    comma = WIDE.replace("absent =", 'decimal_sign = ","\nabsent =')
    assert parse(comma, vib="0,5")["sensors"] == {"vibration": 0.5}
    assert parse(comma, vib="1.234,5").code == "wrong_type"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_as_it_was_written(number: float) -> None:
    assert parse(WIDE, vib=number)["sensors"]["vibration"] == number
    assert parse(WIDE, vib=repr(number))["sensors"]["vibration"] == number


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[sensors]\n", "[sensor]\n", "m.toml: object contains unknown field"),
        ('vibration = "vib"', "vibration = 7", "line 15: `sensors.vibration`"),
        ('path = "t.out"', 'paht = "t.out"', "line 16: `sensors.temperature`"),
        ('settings = ["rpm"]', 'settings = ["rpm"]\nwithout = ["x"]', 'sensors = "rest"'),
        ('settings = ["rpm"]', 'equipment = "Turbo Fan"', "line 4: `equipment`"),
        ('event = "readings"', 'event = "transactions"', "is of readings"),
        ('[sensors]\n', '[long]\nsensor = "a"\nvalue = "b"\n[sensors]\n', "sensors and long"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_refused(old: str, new: str, said: str) -> None:
    assert old in WIDE
    with pytest.raises(MappingError) as refused:
        compiled(read(WIDE.replace(old, new, 1), "m.toml"), TARGET, "m.toml")
    assert said in str(refused.value) and "m.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('settings = ["rpm"]', 'equipment = "pump"', "line 4: `equipment` is 'pump', which is no"),
        ('settings = ["rpm"]', 'equipment = "turbofan"', "line 15: `sensors.vibration` is no"),
        ('vibration = "vib"\n', "", ""),
    ],
)
def test_sensors_and_units_are_those_of_the_equipment_type(old: str, new: str, said: str) -> None:
    text = WIDE.replace(old, new, 1)
    target = READING._replace(
        units={**READING.units, "any": {**READING.units["any"], "temperature": "K"}}
    )
    with pytest.raises(MappingError, match="line" if said else "has it in K: nothing") as refused:
        compiled(read(text, "m.toml"), target, "m.toml", text)
    assert said in str(refused.value)
    assert compiled(read(WIDE, "m.toml"), READING, "m.toml", WIDE)


@pytest.mark.parametrize("cell", [True, None, [], {}, "", "x", "1e3", "-0", "+1", ".5", "1.", -999])
def test_many_cells_at_once_are_what_each_alone_is(cell: Any) -> None:
    """Sensors are read all at once where that can be; the longer way is the standard."""
    once = compiled(read(WIDE.replace("t.out", "t"), "m.toml"), TARGET, "m.toml")
    alone = compiled(read(WIDE.replace("t.out", "t.out.of"), "m.toml"), TARGET, "m.toml")
    value = msgspec.json.encode({"pump": "p1", "at": 0, "vib": cell})
    quick, slow = (one.parse(value, 0, future_skew_ms=0) for one in (once, alone))
    assert quick == slow


def test_a_number_that_means_absent_is_no_measurement() -> None:
    toml = WIDE.replace("t.out", "t").replace('"NA"', '"-999"')
    assert parse(toml, vib="-999", t="1.5")["sensors"] == {"temperature": 1.5}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_as_it_was_written_at_once_too(number: float) -> None:
    toml = WIDE.replace("t.out", "t")
    assert parse(toml, vib=number, t=repr(number))["sensors"] == {
        "vibration": number, "temperature": number,
    }  # fmt: skip


def test_settings_are_known_by_their_places_so_all_or_none() -> None:
    two = WIDE.replace('["rpm"]', '["rpm", "load"]')
    assert parse(two, vib=1, rpm="1450", load=0.5)["settings"] == (1450.0, 0.5)
    assert parse(two, vib=1, rpm="", load=0.5)["settings"] == ()


def test_a_number_may_be_a_word_for_another_one() -> None:
    toml = WIDE.replace('unit = "°C"', "lookup = {1 = 5, 0 = 2}").replace("t.out", "t")
    assert parse(toml, vib=0, t="1")["sensors"] == {"vibration": 0.0, "temperature": 5.0}


EVENTS = """
event = "readings"

[fields]
id = { hash = ["pump", "at", "what"] }
unit = { path = "pump" }
time = { path = "at", form = "epoch_s" }
event = { path = "what", lookup = { R = "overhaul", W = "window", F = "failure" } }
until = { path = "to", form = "epoch_s" }
words = { path = "note" }
"""


def test_a_table_of_what_happened_becomes_events_of_units() -> None:
    mapped = compiled(read(EVENTS, "m.toml"), READING, "m.toml", EVENTS)

    def event(**cells: str) -> Any:
        value = msgspec.json.encode({"pump": "p1", "at": "1782900000"} | cells)
        return mapped.parse(value, -1, future_skew_ms=0)

    window = event(what="W", to="1782903600", note="grid works")
    assert (window.unit, window.equipment, window.sensors) == ("p1", "any", {})
    assert window.event.kind == "window" and window.event.until == 1_782_903_600_000
    assert window.event.words == "grid works"
    assert event(what="F").event.kind == "failure"
    refused = event(what="X")
    assert (refused.code, refused.field) == ("out_of_range", "what")
    assert event(what="W", to="").code == "missing_field"
