"""Equipment types: their files, the readings that they let in, and what the settings name."""

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stormwatch.adapters.storm.config import storm_config
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.equipment import (
    EVENTS,
    Equipment,
    EquipmentError,
    Sensor,
    Types,
    chosen,
    read,
    shipped,
    shipped_names,
    texts_of,
)
from stormwatch.domains.maintenance.equipment.document import Derived, Failure, Sampling
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.parse import Readings, to_wire
from stormwatch.records import Rejection
from stormwatch.settings import Settings, load
from stormwatch.state.envelope import checksum_of

NOW = 1_795_252_530_000
PUMP = """
name = "pump"
version = "2"
words = "centrifugal pump"
silent_after_s = 3600

[sampling]
kind = "period"
period_s = 60

[sensors.vibration]
unit = "mm/s"
words = "vibration velocity"
possible = [0.0, 1000.0]
plausible = [0.0, 100.0]

[sensors.rpm]
unit = "rpm"
role = "setting"

[sensors.starts]
role = "counter"
wrap = 65536
"""


@pytest.fixture
def types(tmp_path: Path) -> Types:
    (tmp_path / "pump.toml").write_text(PUMP)
    return chosen(Settings(maintenance_equipment=f"turbofan, {tmp_path / 'pump.toml'}"))


def parse(types: Types, /, **record: Any) -> Reading | Rejection:
    record = {
        "id": "r-1", "unit": "pump-7", "time": "2026-11-21T09:15:30Z", "equipment": "pump",
        "sensors": {"vibration": 2.5}, **record,
    }  # fmt: skip
    record = {key: value for key, value in record.items() if value is not ...}
    return Readings(types).parse(json.dumps(record).encode(), NOW, future_skew_ms=1000)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "pump"', 'name = "Pump"', "line 2: `name`"),
        ('unit = "mm/s"', "unit = 7", "line 12: `sensors.vibration.unit`"),
        ('role = "setting"', 'role = "speed"', "`sensors.rpm.role`"),
        ('role = "setting"', "wrap = 10", "`sensors.rpm` has wrap"),
        ("[0.0, 1000.0]", "[1000.0, 0.0]", "line 11: `sensors.vibration` has possible"),
        ("period_s = 60", "", "line 7: `sampling` needs period_s"),
        ("period_s = 60", "period = 60", "`sampling`"),
        ('words = "centrifugal pump"', 'model = "lstm"', "line 4: `model`"),
        ("silent_after_s = 3600", "silent_after_s = 0", "line 5: `silent_after_s`"),
        ("[sampling]", '[events]\nrepair = "new"\n[sampling]', "`events.repair` is no event"),
        ("[sensors.rpm]", "[sensors.rpm]\nnominal = 3.0", "without noise"),
        ('"pump"', "'pump", "is not TOML"),
    ],
)
def test_a_wrong_type_is_refused_with_its_file_line_and_key(old: str, new: str, said: str) -> None:
    assert old in PUMP
    with pytest.raises(EquipmentError) as refused:
        read(PUMP.replace(old, new, 1), "pump.toml")
    assert "pump.toml" in str(refused.value)
    assert said in str(refused.value)


def test_a_type_without_sensors_says_what_it_means() -> None:
    with pytest.raises(EquipmentError, match="names no sensor: name one, or set other_sensors"):
        read('name = "pump"', "pump.toml")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("submarine", "'submarine', which is neither a shipped type .*turbofan.* nor a file"),
        ("", "maintenance.equipment is empty"),
        ('name = "any"\nother_sensors = true', "that of a shipped type"),
        ('name = "jet"\nmodel = "turbofan"\nother_sensors = true\n', 'set model = "any"'),
    ],
)
def test_a_wrong_setting_says_what_there_is(value: str, said: str) -> None:
    with pytest.raises(EquipmentError, match=said):
        chosen(Settings(maintenance_equipment=value))


def test_the_first_type_of_the_settings_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "pump.toml").write_text(PUMP)
    types = chosen(Settings(maintenance_equipment=f"{tmp_path / 'pump.toml'},any"))
    assert types.default.name == "pump"
    assert set(types.by_name) == {"pump", *shipped_names()}
    assert chosen(Settings()).default.name == "turbofan"


def test_the_texts_of_types_travel_to_workers(tmp_path: Path) -> None:
    file = tmp_path / "pump.toml"
    file.write_text(PUMP)
    settings = Settings(maintenance_equipment=f"any,{file}")
    conf = storm_config(settings)
    file.unlink()
    there = load({}, conf)
    assert chosen(there).by_name["pump"] == read(PUMP, "")
    assert chosen(there).default.name == "any"
    assert texts_of(there.maintenance_equipment) == there.maintenance_equipment
    assert storm_config(Settings())["stormwatch.maintenance.equipment"] == "turbofan"


def test_a_reading_of_a_type_of_ones_own(types: Types) -> None:
    event = parse(types)
    assert event == Reading("r-1", "pump-7", NOW, 0, (), {"vibration": 2.5}, "pump")
    assert Readings(types).parse(to_wire(event), NOW, future_skew_ms=0) == event
    assert parse(types, cycle=7, settings=[1.5], type="reading").settings == (1.5,)
    assert parse(types, cycle=None, settings=None) == event


@pytest.mark.parametrize(
    ("record", "code", "field"),
    [
        ({"sensors": {"vibrations": 1.0}}, "unknown_sensor", "sensors.vibrations"),
        ({"sensors": {"vibration": -1}}, "out_of_range", "sensors.vibration"),
        ({"sensors": {}}, "out_of_range", "sensors"),
        ({"sensors": {"vibration": "ERR"}}, "wrong_type", "sensors.vibration"),
        ({"equipment": "submarine"}, "unknown_equipment", "equipment"),
        ({"equipment": 7}, "wrong_type", "equipment"),
        ({"equipment": ...}, "missing_field", "cycle"),
        ({"equipment": "turbofan", "cycle": 1, "settings": []}, "bad_unit", "unit"),
        ({"equipment": "turbofan", "unit": "a/b/1", "cycle": 1}, "missing_field", "settings"),
        ({"unit": " pump"}, "bad_text", "unit"),
        ({"cycle": 0}, "out_of_range", "cycle"),
        ({"type": "event"}, "missing_field", "event"),
        ({"type": "event", "event": "repair"}, "wrong_type", "event"),
        ({"type": "event", "event": "window"}, "missing_field", "until"),
        ({"type": "event", "event": "overhaul", "sensor": "rpm"}, "missing_field", "sensor"),
        ({"type": "event", "event": "sensor_replaced", "sensor": "x"}, "unknown_sensor", "sensor"),
        (
            {"type": "event", "event": "window", "until": "2026-11-21T09:15:30Z"},
            "out_of_range",
            "until",
        ),
    ],
)
def test_what_a_type_does_not_let_in(
    types: Types, record: dict[str, Any], code: str, field: str
) -> None:
    got = parse(types, **record)
    assert isinstance(got, Rejection), got
    assert (got.code, got.field) == (code, field), got.reason


@pytest.mark.parametrize(
    ("name", "code"),
    [("a" * 64, ""), ("Öl-Temp [°C]", ""), ("", "out_of_range"), ("a" * 65, "out_of_range"),
     (" x", "bad_text"), ("a\u202eb", "bad_text")],
)  # fmt: skip
def test_a_unit_of_no_type_may_have_any_sensor_that_can_be_read(
    types: Types, name: str, code: str
) -> None:
    got = parse(types, equipment="any", sensors={name: 1e15, "other": -1.5})
    assert (got.code if isinstance(got, Rejection) else "") == code


def test_an_unknown_unit_has_64_sensors_at_most(types: Types) -> None:
    made = {f"s{n}": 1.0 for n in range(65)}
    assert parse(types, equipment="any", sensors=made).code == "out_of_range"
    made.pop("s0")
    assert isinstance(parse(types, equipment="any", sensors=made), Reading)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_of_a_unit_is_read_and_written(types: Types, kind: str) -> None:
    record: dict[str, Any] = {"type": "event", "event": kind, "words": "job 4711"}
    if kind == "sensor_replaced":
        record["sensor"] = "vibration"
    if kind == "window":
        record["until"] = "2026-11-21T10:15:30Z"
    event = parse(types, sensors=..., **record)
    until = NOW + 3_600_000 if kind == "window" else 0
    assert event == Reading(
        "r-1", "pump-7", NOW, 0, (), {}, "pump",
        UnitEvent(kind, record.get("sensor", ""), until, "job 4711"),
    )  # fmt: skip
    assert Readings(types).parse(to_wire(event), NOW, future_skew_ms=0) == event


def test_the_checksum_of_a_plain_reading_is_that_of_before_there_were_types() -> None:
    """Else a record that was decided before an upgrade would conflict with itself."""
    plain = Reading("r1-42-7", "FD001/r1/42", NOW, 7, (0.5,), {"T24": 641.82})
    assert checksum_of(plain) == 3176898838
    assert checksum_of(plain) != checksum_of(
        Reading("r1-42-7", "FD001/r1/42", NOW, 7, (0.5,), {"T24": 641.82}, "turbofan")
    )


def test_a_mapping_makes_readings_and_events_of_any_type(types: Types) -> None:
    from datetime import UTC, datetime

    readings, at = Readings(types), datetime.fromtimestamp(NOW / 1000, UTC)
    found = {"id": "1", "unit": "p", "time": at, "equipment": "pump", "settings": ()}
    made = readings.of_mapping({**found, "sensors": {"vibration": 1.0}}, b"", NOW, 0)
    assert made == Reading("1", "p", NOW, 0, (), {"vibration": 1.0}, "pump")
    event = {**found, "sensors": {}, "event": "maintenance", "words": "comp2"}
    made = readings.of_mapping(event, b"", NOW, 0)
    assert made.event == UnitEvent("maintenance", words="comp2")


TURNING = "[sensors.torque]\n[sensors.rotational_speed]\n"
MACHINES = [name for name in shipped_names() if name not in ("turbofan", "any")]


@pytest.mark.parametrize("name", MACHINES)
def test_each_shipped_machine_knows_its_normal_and_tells_what_is_not(name: str) -> None:
    kind, domain, draw = shipped(name), Maintenance.load("none"), random.Random(1)
    judged = [each for each in kind.sensors.values() if each.role == "condition"]

    def measured(sensor: Any, sigmas: float = 0.0) -> float:
        low, high = sensor.plausible
        middle = sensor.nominal or (max(low, -1e3) + min(high, 1e3)) / 2
        noise = sensor.noise or max(abs(middle) / 100, 0.1)
        return draw.gauss(middle, noise) + sigmas * noise

    def record(n: int, **changed: float) -> bytes:
        values = {
            each.name: float(n % 2) if each.role == "state" else measured(each)
            for each in kind.sensors.values()
            if each.role != "counter"
        }
        values |= {each.name: 2.0 * n for each in kind.sensors.values() if each.role == "counter"}
        at = f"2026-11-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z"
        made = {"id": f"{n}", "unit": "u", "time": at, "equipment": name, "sensors": values}
        return json.dumps({**made, "sensors": values | changed}).encode()

    def decide(value: bytes) -> Any:
        event = domain.parse(value, 10**13)
        assert isinstance(event, Reading), event
        row, carry = domain.advance(state, event)
        return domain.decide([event], [row], [carry])[0]

    state = domain.new_state()
    outcomes = Counter(decide(record(n)).outcome for n in range(1000))
    assert outcomes["anomaly"] <= 2, outcomes
    assert outcomes["learning"] <= 12
    odd = judged[0]
    told = decide(record(1000, **{odd.name: measured(odd, 12.0)}))
    assert told.outcome == "anomaly"
    assert told.reasons[0].code == f"anomaly_{odd.name}"
    assert odd.words in told.reasons[0].text
    assert told.reasons[-1].code == "life_unknown"
    assert told.by == ("any-2", "any-2", kind.label)


def test_the_page_explains_each_key_and_its_example_is_a_type() -> None:
    page = (Path(__file__).parents[3] / "docs" / "equipment-types.md").read_text()
    example, part = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    made = read(f'name = "mill"\n{part}[sensors.tool_wear]\n{TURNING}', "page")
    assert made.failure is not None
    assert set(read(example, "page").sensors) == {"vibration", "rpm", "starts"}
    for struct in (Equipment, Sensor, Sampling, Derived, Failure):
        for key in struct.__struct_fields__:
            assert re.search(rf"`{key}`|^{key} = |`sensors\.NAME`", page, re.MULTILINE), key
    for name in shipped_names():
        assert f"`{name}`" in page
