"""The TOML of an equipment type: what may stand in it, and sentences for what may not."""

from math import isfinite
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stormwatch.errors import SettingsError
from stormwatch.parsing.toml_document import Document

EVENTS = {
    "maintenance": "work that changes nothing of what is known of the unit",
    "overhaul": "the unit is as new: its age and what was learned of it begin again",
    "sensor_replaced": "what was learned of the sensor begins again",
    "failure": "the unit failed: what comes after it is another life",
    "window": "work is going on until a time: what the unit shows until then is no alert",
    "check": "nothing happened: it is told if the unit has been silent for too long",
}
"""What may happen to a unit."""
MOST_SENSORS = 64
"""Of a type, and of a unit whose type names none."""

Role = Literal["condition", "load", "setting", "counter", "state"]
Range = tuple[float, float]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Words = Annotated[str, Meta(max_length=200)]


class EquipmentError(SettingsError):
    """An equipment type cannot be used. Names file, line and key, and what is allowed."""


class Sensor(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One sensor. Outside `possible` no sensor of that kind can be: the record is rejected. Inside
    it but outside `plausible` the sensor is broken: the reading is accepted and says so."""

    name: str = ""  # the table's own
    unit: Annotated[str, Meta(max_length=20)] = "1"
    words: _Words = ""
    role: Role = "condition"
    """condition and counter (by its rate) are judged; load, setting and state are not."""
    possible: Range = (-1e15, 1e15)
    plausible: Range = (-1e15, 1e15)
    nominal: float = 0.0  # what healthy units read: its normal, before a unit's own is known
    noise: float = 0.0  # the standard deviation of a healthy unit's readings; 0: not known
    wear: Literal[-1, 0, 1] = 0  # the sign of its drift as the unit wears; 0: none is known
    wrap: float | None = None  # of a counter: the value that it begins at 0 again from

    def believes(self, value: float) -> bool:
        """Whether this value can be a measurement of a working sensor."""
        return self.plausible[0] <= value <= self.plausible[1]


class Sampling(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """When readings come. `cycle` and `hour` say in words what one of them is."""

    kind: Literal["per_cycle", "period", "irregular"] = "irregular"
    period_s: Annotated[float, Meta(gt=0)] | None = None
    cycle: _Words = ""
    hour: _Words = ""


class Costs(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What a planned service and a failure cost, in `unit`, to say what waiting costs."""

    unit: Annotated[str, Meta(min_length=1, max_length=40)] = "planned services"
    service: Annotated[float, Meta(ge=0)] = 1.0
    failure: Annotated[float, Meta(ge=0)] = 5.0
    wait_cycles: Annotated[int, Meta(ge=1)] = 10
    """How long a wait the advice looks at."""


class Equipment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """An equipment type as it stands in its file."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    version: Annotated[str, Meta(min_length=1, max_length=40)] = "1"
    words: _Words = ""
    model: Literal["turbofan", "any"] = "any"
    """What judges it: the remaining-life model, or how far each sensor is from its normal."""
    requires: list[Literal["cycle", "settings"]] = []
    """What every reading has to have beside id, unit, time and sensors."""
    unit_form: Literal["id", "fleet/run/number"] = "id"
    other_sensors: bool = False  # whether a reading may have sensors that are not named here
    silent_after_s: Annotated[float, Meta(gt=0)] | None = None
    """A longer time between two readings of a unit is told."""
    sampling: Sampling = Sampling()
    costs: Costs = Costs()
    events: dict[str, _Words] = {}
    """What an event means for this machine, in words, by its kind."""
    sensors: dict[_Name, Sensor] = {}

    @property
    def label(self) -> str:
        """Name and version, as decisions have it."""
        return f"{self.name}-{self.version}"


def read(text: str, where: str) -> Equipment:
    """The type that `text` is; `where` names it in messages. Raises EquipmentError."""
    document = Document(text, where, EquipmentError)
    raw = document.tables()
    sensors = raw.get("sensors")
    for name, one in sensors.items() if isinstance(sensors, dict) else ():
        # One by one: msgspec does not name a table's key.
        document.converted(one, Sensor, f"sensors.{name}")
    found: Equipment = document.converted(raw, Equipment)
    for kind in found.events:
        if kind not in EVENTS:
            raise document.wrong(f"events.{kind}", f"is no event; there are {', '.join(EVENTS)}")
    for name, sensor in found.sensors.items():
        if why := _contradiction(name, sensor):
            raise document.wrong(f"sensors.{name}", why)
    if whole := _whole(found):
        raise document.wrong(*whole)
    named = {n: msgspec.structs.replace(s, name=n) for n, s in found.sensors.items()}
    return msgspec.structs.replace(found, sensors=named)


def _whole(found: Equipment) -> tuple[str, str] | None:
    """The key and what is wrong with it, of a type whose parts are right one by one."""
    sampling = found.sampling
    if (sampling.kind == "period") != (sampling.period_s is not None):
        return "sampling", 'needs period_s, seconds, for kind = "period" and for that alone'
    if len(found.sensors) > MOST_SENSORS:
        return "sensors", f"has {len(found.sensors)} sensors; allowed are {MOST_SENSORS}"
    if not found.sensors and not found.other_sensors:
        return "sensors", "names no sensor: name one, or set other_sensors = true"
    return None


def _contradiction(name: str, sensor: Sensor) -> str:
    """Why the sensor cannot be meant so; "" where it can."""
    if sensor.name:
        return "has a key `name`; its name is the table's"
    if not name.isprintable() or name != name.strip():
        return "is no name: it has characters that cannot be seen, or spaces around it"
    for what, (low, high) in (("possible", sensor.possible), ("plausible", sensor.plausible)):
        if not low < high:
            return f"has {what} = [{low:g}, {high:g}]: the first has to be the smaller one"
    if sensor.wrap is not None and (sensor.role != "counter" or not sensor.wrap > 0):
        return 'has wrap, which is of a sensor with role = "counter" alone, and more than 0'
    return _normal_contradiction(sensor)


def _normal_contradiction(sensor: Sensor) -> str:
    if not (isfinite(sensor.noise) and sensor.noise >= 0):
        return f"has noise = {sensor.noise:g}; it has to be more than 0"
    if (sensor.nominal or sensor.wear) and not sensor.noise:
        return "has nominal or wear without noise, the standard deviation of its readings"
    return ""
