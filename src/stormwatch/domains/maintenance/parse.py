"""Readings topic: record values to events and back. The format: schema/readings.md."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from stormwatch.domains.maintenance.equipment import Equipment, Types, default_types
from stormwatch.domains.maintenance.equipment.document import MOST_SENSORS
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.sensors import SENTINELS
from stormwatch.parsing.fields import (
    SOME_TIME,
    Id,
    Time,
    check_ids,
    check_ms,
    check_time,
    from_ms,
    to_ms,
)
from stormwatch.parsing.mapping import OTHERS, Target, values
from stormwatch.parsing.rejections import UNPARSABLE, check_kind, check_rest, explain, refuse
from stormwatch.records import Rejection

KIND = "reading"
EVENT = "event"
"""Of `type`: something happened to the unit."""

_Cycle = Annotated[int, Meta(ge=1, le=1_000_000_000)]
_Setting = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Settings = Annotated[tuple[_Setting, ...], Meta(max_length=8)]
_Sensors = Annotated[dict[str, float], Meta(min_length=1, max_length=MOST_SENSORS)]


class _Wire(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    id: Id
    unit: Id
    time: Time
    cycle: _Cycle | UnsetType | None = UNSET
    settings: _Settings | UnsetType | None = UNSET
    sensors: _Sensors
    equipment: str | None = None
    type: str | None = None
    learn_only: bool | None = None


class _Strict(msgspec.Struct, gc=False):
    """A reading of a type that requires `cycle` and `settings`, for its refusals' words."""

    id: Id
    unit: Id
    time: Time
    cycle: _Cycle
    settings: _Settings
    sensors: _Sensors
    equipment: str | None = None
    type: str | None = None


class _Event(msgspec.Struct, omit_defaults=True, gc=False):
    id: Id
    unit: Id
    time: Time
    event: Literal["maintenance", "overhaul", "sensor_replaced", "failure", "window", "check"]
    sensor: Id | None = None
    until: Time | None = None
    words: Annotated[str, Meta(max_length=500)] | None = None
    equipment: str | None = None
    type: str | None = None
    learn_only: bool | None = None


class _Peek(msgspec.Struct, gc=False):
    type: str | None = None
    equipment: str | None = None


_QUOTES = 14  # of four names and three texts; a sensor, `cycle` and `settings` add two, others four
_UNIT = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+", re.ASCII)
_NAME_MAX = 64
_NOWHERE = (1.0, 0.0)
_ANYWHERE = (-1e15, 1e15)
_decode = msgspec.json.Decoder(_Wire).decode
_decode_strict = msgspec.json.Decoder(_Strict).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_peek = msgspec.json.Decoder(_Peek).decode
_encode = msgspec.json.Encoder().encode


class _Rules:
    """What one type asks of a reading, made ready."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment = equipment
        self.has_form = equipment.unit_form != "id"
        self.needs_cycle = "cycle" in equipment.requires
        self.needs_settings = "settings" in equipment.requires
        self.possible = {name: sensor.possible for name, sensor in equipment.sensors.items()}
        self.units = {name: sensor.unit for name, sensor in equipment.sensors.items()}
        if equipment.other_sensors:
            self.units[OTHERS] = ""
        self.other = _ANYWHERE if equipment.other_sensors else _NOWHERE

    def check_unit(self, unit: str) -> None:
        """Raises Refused."""
        if self.has_form:
            if not _UNIT.fullmatch(unit):
                why = "is not fleet/run/number, each of letters, digits and any of . _ -"
                raise refuse("bad_unit", "unit", why, unit)
        else:
            check_ids(unit=unit)

    def check_sensors(self, sensors: dict[str, float]) -> None:
        """Raises Refused."""
        possible, other = self.possible, self.other
        for name, measured in sensors.items():
            low, high = possible.get(name, other)
            if not low <= measured <= high:
                self._check_sensor(name, measured)
            elif name not in possible and not (name.isidentifier() and len(name) <= _NAME_MAX):
                _check_name(name)

    def _check_sensor(self, name: str, measured: float) -> None:
        kind = self.equipment
        if name not in kind.sensors and not kind.other_sensors:
            why = f"is no sensor of the equipment type {kind.name}, see schema/readings.md"
            raise refuse("unknown_sensor", f"sensors.{name}", why, name)
        if measured not in SENTINELS:
            low, high = self.possible.get(name, self.other)
            unit = kind.sensors[name].unit if name in kind.sensors else ""
            why = f"cannot be, possible are {low:g} to {high:g} {unit}".rstrip()
            raise refuse("out_of_range", f"sensors.{name}", why, repr(measured))


def _check_name(name: str) -> None:
    """Raises Refused for a name that people could not read, or that is too long to keep."""
    check_ids(**{f"sensors.{name}": name})
    if not 1 <= len(name) <= _NAME_MAX:
        why = f"is not 1 to {_NAME_MAX} characters long"
        raise refuse("out_of_range", f"sensors.{name}", why, name)


class Readings:
    """The parser of one set of equipment types."""

    def __init__(self, types: Types) -> None:
        self._rules = {name: _Rules(kind) for name, kind in types.by_name.items()}
        self._default = self._rules[types.default.name]

    def parse(self, value: bytes, timestamp: int, *, future_skew_ms: int) -> Reading | Rejection:
        """Decode and validate one record value; `timestamp`: Kafka's, ms. Never raises on data."""
        try:
            return self._reading(_decode(value), value, timestamp, future_skew_ms)
        except UNPARSABLE as error:
            return self._otherwise(value, timestamp, future_skew_ms, error)

    @property
    def target(self) -> Target:
        """What a mapping has to find in a record."""
        return Target(
            "readings",
            required=("id", "unit", "time"),
            optional=("cycle", "event", "sensor", "until", "words"),
            entity="unit",
            make=self.of_mapping,
            readers={"cycle": values.whole},
            units={name: rules.units for name, rules in self._rules.items()},
        )

    def of_mapping(
        self, found: dict[str, Any], value: bytes, timestamp: int, future_skew_ms: int
    ) -> Reading:
        """The event of fields that a mapping found in a record. Raises what `explain` takes."""
        if "event" in found:
            times = {name: from_ms(found[name]) for name in ("time", "until")
                     if isinstance(found.get(name), int)}  # fmt: skip
            event = msgspec.convert(found | times, _Event)
            return self._checked_event(event, b"", timestamp, future_skew_ms)
        if not found["sensors"]:
            raise refuse("missing_field", "sensors", "have no value, not one of them", value)
        timed: bytes | int = b""
        if (time := found["time"]).__class__ is int:
            timed, found["time"] = time, SOME_TIME
        wire = msgspec.convert(found, _Wire)
        rules = self._of(wire.equipment or "")
        if rules.needs_cycle and not wire.cycle:
            raise refuse("missing_field", "cycle", f"is what a {wire.equipment} needs", value)
        return self._checked(rules, wire, timed, timestamp, future_skew_ms)

    def _of(self, name: str) -> _Rules:
        if not name:
            return self._default
        try:
            return self._rules[name]
        except KeyError:
            why = f"is no equipment type of the settings; there are {', '.join(self._rules)}"
            raise refuse("unknown_equipment", "equipment", why, name) from None

    def _reading(self, wire: _Wire, value: bytes, timestamp: int, future_skew_ms: int) -> Reading:
        rules = self._of(wire.equipment) if wire.equipment else self._default
        cycle, settings = wire.cycle, wire.settings
        if (not cycle and rules.needs_cycle) or (not settings and rules.needs_settings):
            _decode_strict(value)  # says what is missing; settings may be an empty list
        quotes = _QUOTES + 2 * (len(wire.sensors) + (cycle is not UNSET) + (settings is not UNSET))
        if wire.type is not None:
            check_kind(wire.type, KIND)
            quotes += 4
        if wire.equipment is not None:
            quotes += 4
        if wire.learn_only is not None:
            quotes += 2
        # A key that is unknown or there twice adds quotes, and nothing takes any away.
        if value.count(b'"') != quotes:
            check_rest(value)
        return self._checked(rules, wire, value, timestamp, future_skew_ms)

    def _checked(
        self, rules: _Rules, wire: _Wire, timed: bytes | int, timestamp: int, future_skew_ms: int
    ) -> Reading:
        """`timed`: the JSON that `wire.time` was read from; nothing, where it is exact already; or
        the time itself, ms, and `wire.time` means nothing."""
        check_ids(id=wire.id)
        rules.check_unit(wire.unit)
        if isinstance(timed, int):
            time = check_ms(timed, timestamp, future_skew_ms)
        else:
            time = check_time(wire.time, timed, timestamp, future_skew_ms)
        rules.check_sensors(wire.sensors)
        return Reading(
            wire.id, wire.unit, time, wire.cycle or 0, wire.settings or (), wire.sensors,
            wire.equipment or "", None, bool(wire.learn_only),
        )  # fmt: skip

    def _otherwise(
        self, value: bytes, timestamp: int, future_skew_ms: int, error: Exception
    ) -> Reading | Rejection:
        """An event of a unit, or why the record is neither that nor a reading."""
        try:
            peek = _peek(value)
        except UNPARSABLE:
            return explain(value, error, KIND)
        try:
            if peek.type == EVENT:
                return self._event(_decode_event(value), value, timestamp, future_skew_ms)
            rules = self._of(peek.equipment or "")
            if rules.needs_cycle and isinstance(error, msgspec.ValidationError):
                _decode_strict(value)
        except UNPARSABLE as better:
            return explain(value, better, EVENT if peek.type == EVENT else KIND)
        return explain(value, error, KIND)

    def _event(self, wire: _Event, value: bytes, timestamp: int, future_skew_ms: int) -> Reading:
        check_rest(value)
        return self._checked_event(wire, value, timestamp, future_skew_ms)

    def _checked_event(
        self, wire: _Event, timed: bytes, timestamp: int, future_skew_ms: int
    ) -> Reading:
        """`timed`: as in `_checked`."""
        rules = self._of(wire.equipment or "")
        check_ids(id=wire.id)
        rules.check_unit(wire.unit)
        time = check_time(wire.time, timed, timestamp, future_skew_ms)
        return Reading(
            wire.id, wire.unit, time, 0, (), {}, wire.equipment or "",
            _unit_event(rules.equipment, wire, time), bool(wire.learn_only),
        )  # fmt: skip


def _unit_event(kind: Equipment, wire: _Event, time: int) -> UnitEvent:
    sensor, words, until = wire.sensor or "", wire.words or "", 0
    if (wire.event == "sensor_replaced") != bool(sensor):
        why = "has to name the sensor that was replaced, and stands with no other event"
        raise refuse("missing_field", "sensor", why, wire.event)
    if sensor and sensor not in kind.sensors and not kind.other_sensors:
        why = f"is no sensor of the equipment type {kind.name}, see schema/readings.md"
        raise refuse("unknown_sensor", "sensor", why, sensor)
    if (wire.event == "window") != (wire.until is not None):
        why = "has to say when the window ends, and stands with no other event"
        raise refuse("missing_field", "until", why, wire.event)
    if wire.until is not None:
        until = to_ms(wire.until)
        if until <= time:
            raise refuse("out_of_range", "until", "is not after `time`", wire.until.isoformat())
    return UnitEvent(wire.event, sensor, until, words)


_shipped = Readings(default_types())
TARGET = _shipped.target
"""What a mapping has to find in a record, by the types of the settings as they are shipped."""


def parse(value: bytes, timestamp: int, *, future_skew_ms: int) -> Reading | Rejection:
    """As `Readings.parse`, by the types of the settings as they are shipped."""
    return _shipped.parse(value, timestamp, future_skew_ms=future_skew_ms)


def to_wire(event: Reading) -> bytes:
    """The record value that `parse` reads back to the same event."""
    time, equipment = from_ms(event.time), event.equipment or None
    learn_only = event.learn_only or None
    if (noted := event.event) is not None:
        until = from_ms(noted.until) if noted.until else None
        return _encode(
            _Event(event.id, event.unit, time, noted.kind, noted.sensor or None, until,  # type: ignore[arg-type]
                   noted.words or None, equipment, EVENT, learn_only)
        )  # fmt: skip
    return _encode(
        _Wire(
            id=event.id, unit=event.unit, time=time, cycle=event.cycle or UNSET,
            settings=event.settings if event.settings or not equipment else UNSET,
            sensors=event.sensors, equipment=equipment, learn_only=learn_only,
        )
    )  # fmt: skip
