"""What happened to a unit becomes a record that the parse bolt takes, or is refused at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.operate.unit_event import record
from stormwatch.domains.maintenance.equipment import chosen
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.parse import Readings
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings

ANY = Settings(maintenance_equipment="any")
NOW = datetime(2026, 11, 21, 9, 15, 30, tzinfo=UTC)


def test_an_event_is_keyed_by_its_unit_and_read_back() -> None:
    made = record(ANY, NOW, "pump-7", "sensor_replaced", sensor="vibration", words="job 4711")
    event = Readings(chosen(ANY)).parse(made.value, 0, future_skew_ms=10**15)
    assert made.key == b"pump-7"
    assert isinstance(event, Reading)
    assert (event.id, event.unit) == ("sensor_replaced-2026-11-21T09:15:30.000+00:00", "pump-7")
    assert event.time == NOW.timestamp() * 1000
    assert event.event == UnitEvent("sensor_replaced", "vibration", 0, "job 4711")


def test_the_same_said_twice_with_its_id_is_one_event() -> None:
    given = {"id": "w", "time": "2026-11-21T09:00:00Z", "until": "2026-11-22T09:00:00Z"}
    first, again = (
        record(ANY, now, "u", "window", **given)
        for now in (NOW, datetime(2026, 11, 21, 10, tzinfo=UTC))
    )
    assert first == again


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("repair", {}, "wrong_type"),
        ("window", {}, "when the window ends"),
        ("overhaul", {"time": "yesterday"}, "bad_time"),
        ("overhaul", {"time": "2026-12-21T09:00:00Z"}, "too_far_in_future"),
        ("overhaul", {"equipment": "submarine"}, "there are any"),
        ("overhaul", {"equipment": "turbofan"}, "bad_unit"),
    ],
)
def test_what_would_be_refused_is_not_written(kind: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        record(ANY, NOW, "pump-7", kind, **given)


def test_where_the_topic_has_a_mapping_events_come_by_it(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        'event = "readings"\nsensors = "rest"\n[fields]\nid = {path = "i"}\nunit = {path = "u"}\n'
        'time = {path = "t", form = "rfc3339"}\n'
    )
    with pytest.raises(SettingsError, match="equipment-types"):
        record(Settings(mapping_readings=str(file)), NOW, "pump-7", "overhaul")
