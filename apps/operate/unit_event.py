"""An event of a unit, written to the readings topic: what `./stormwatch event` sends."""

from datetime import datetime
from typing import Any

import msgspec

from apps.data.publish import Event
from stormwatch.domains.maintenance.equipment import chosen
from stormwatch.domains.maintenance.parse import Readings
from stormwatch.errors import SettingsError
from stormwatch.parsing import mapping
from stormwatch.records import Rejection
from stormwatch.settings import Settings


def record(settings: Settings, now: datetime, unit: str, kind: str, **given: str | None) -> Event:
    """The record, keyed by its unit. `given`: id, time, sensor, until, words, equipment.

    Without a time it is of `now`, without an id of its kind and time. Raises SettingsError, with
    the sentence of the parse bolt, for what this would refuse.
    """
    readings = Readings(chosen(settings))
    if settings.topic_readings in mapping.chosen(settings, readings.target):
        raise SettingsError(
            f"The topic {settings.topic_readings} has a mapping (mapping.readings): an event of a "
            "unit comes in your own format there. docs/equipment-types.md says how."
        )
    time = given.pop("time", None) or now.isoformat(timespec="milliseconds")
    fields: dict[str, Any] = {
        "type": "event", "id": given.pop("id", None) or f"{kind}-{time}", "unit": unit,
        "time": time, "event": kind, **{name: text for name, text in given.items() if text},
    }  # fmt: skip
    value = msgspec.json.encode(fields)
    written = round(now.timestamp() * 1000)
    skew_ms = settings.future_skew_s * 1000
    found = readings.parse(value, written, future_skew_ms=skew_ms)
    if isinstance(found, Rejection):
        raise SettingsError(f"That is no event of a unit ({found.code}): {found.reason}.")
    return Event(unit.encode(), value)
