"""Readings topic: record values to events and back. The format: schema/readings.md."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.sensors import SENSORS, SENTINELS
from stormwatch.parsing.fields import Id, Time, check_ids, check_time, from_ms
from stormwatch.parsing.mapping import Target, values
from stormwatch.parsing.rejections import UNPARSABLE, check_kind, check_rest, explain, refuse
from stormwatch.records import Rejection

KIND = "reading"

_Setting = Annotated[float, Meta(ge=-1e6, le=1e6)]


class _Wire(msgspec.Struct, omit_defaults=True, gc=False):
    id: Id
    unit: Id
    time: Time
    cycle: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    settings: Annotated[tuple[_Setting, ...], Meta(max_length=8)]
    sensors: Annotated[dict[str, float], Meta(min_length=1, max_length=64)]
    type: str | None = None


_QUOTES = 18  # of six names and three texts; a sensor adds two, `type` four
_UNIT = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+", re.ASCII)
_POSSIBLE = {name: sensor.possible for name, sensor in SENSORS.items()}
_NOWHERE = (1.0, 0.0)
_decode = msgspec.json.Decoder(_Wire).decode
_encode = msgspec.json.Encoder().encode


def parse(value: bytes, timestamp: int, *, future_skew_ms: int) -> Reading | Rejection:
    """Decode and validate one record value; `timestamp` is Kafka's, ms. Never raises on data."""
    try:
        return _event(_decode(value), value, timestamp, future_skew_ms)
    except UNPARSABLE as error:
        return explain(value, error, KIND)


def _event(wire: _Wire, value: bytes, timestamp: int, future_skew_ms: int) -> Reading:
    quotes = _QUOTES + 2 * len(wire.sensors)
    if wire.type is not None:
        check_kind(wire.type, KIND)
        quotes += 4
    # A key that is unknown or there twice adds quotes, and nothing takes any away.
    if value.count(b'"') != quotes:
        check_rest(value)
    return _checked(wire, value, timestamp, future_skew_ms)


def _checked(wire: _Wire, timed: bytes, timestamp: int, future_skew_ms: int) -> Reading:
    """`timed` is the JSON that `wire.time` was read from; nothing, where it is exact already."""
    check_ids(id=wire.id)
    if not _UNIT.fullmatch(wire.unit):
        why = "is not fleet/run/number, each of letters, digits and any of . _ -"
        raise refuse("bad_unit", "unit", why, wire.unit)
    time = check_time(wire.time, timed, timestamp, future_skew_ms)
    for name, measured in wire.sensors.items():
        low, high = _POSSIBLE.get(name, _NOWHERE)
        if not low <= measured <= high:
            _check_sensor(name, measured)
    return Reading(wire.id, wire.unit, time, wire.cycle, wire.settings, wire.sensors)


def of_mapping(found: dict[str, Any], value: bytes, timestamp: int, future_skew_ms: int) -> Reading:
    """The event of fields that a mapping found in a record. Raises what `explain` takes."""
    wire = msgspec.convert({"cycle": 1} | found, _Wire)
    if not wire.sensors:
        raise refuse("missing_field", "sensors", "have no value, not one of them", value)
    return _checked(wire, b"", timestamp, future_skew_ms)


TARGET = Target(
    "readings",
    required=("id", "unit", "time"),
    optional=("cycle",),
    entity="unit",
    make=of_mapping,
    readers={"cycle": values.whole},
)
"""What a mapping has to find in a record."""


def to_wire(event: Reading) -> bytes:
    """The record value that `parse` reads back to the same event."""
    time = from_ms(event.time)
    return _encode(_Wire(event.id, event.unit, time, event.cycle, event.settings, event.sensors))


def _check_sensor(name: str, measured: float) -> None:
    if name not in SENSORS:
        raise refuse("unknown_sensor", f"sensors.{name}", "is not in schema/readings.md", name)
    if measured not in SENTINELS:
        low, high = _POSSIBLE[name]
        why = f"cannot be, possible are {low:g} to {high:g} {SENSORS[name].unit}"
        raise refuse("out_of_range", f"sensors.{name}", why, repr(measured))
