"""What gives the sensors and settings of a record: named, the rest of its numbers, one a record."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from stormwatch.parsing.mapping import values
from stormwatch.parsing.mapping.decoding import LEARN_ONLY
from stormwatch.parsing.mapping.document import Field, Long, Mapping, Sensor, paths_of
from stormwatch.parsing.mapping.taking import Absent, getter, taken
from stormwatch.parsing.mapping.values import Unusable
from stormwatch.parsing.rejections import refuse

Sensors = Callable[[dict[str, Any]], dict[str, float]]
Measured = Callable[[dict[str, Any]], dict[str, Any]]


def measured_by(mapping: Mapping, absent: Absent) -> Measured:
    """What gives `settings` and `sensors` of a record, and their equipment type. What has no value
    is left out of them."""
    equipment = mapping.equipment
    read = values.number_with_comma if mapping.decimal_sign == "," else values.number
    settings = _settings(mapping, read, absent)
    if mapping.long is not None:
        sensors = _one_sensor(mapping.long, read, absent)
    elif isinstance(mapping.sensors, str):
        sensors = _rest(mapping, read, absent)
    else:
        sensors = _named(mapping.sensors, read, absent)

    def take(record: dict[str, Any]) -> dict[str, Any]:
        return {"equipment": equipment, "settings": settings(record), "sensors": sensors(record)}

    return take if isinstance(mapping.sensors, str) else _at_once(mapping, mapping.sensors, take)


def _settings(
    mapping: Mapping, read: Callable[[Any], float], absent: Absent
) -> Callable[[dict[str, Any]], tuple[float, ...]]:
    """What gives all settings, by their places; none where one of them is absent."""
    gets = [(path, getter([path], absent)) for path in mapping.settings]

    def take(record: dict[str, Any]) -> tuple[float, ...]:
        found = [(path, get(record)) for path, get in gets]
        if any(value in absent for _, value in found):
            return ()
        return tuple([_number(path, value, read) for path, value in found])

    return take if gets else lambda record: ()


def _number(path: str, value: Any, read: Callable[[Any], float]) -> float:
    try:
        return read(value)
    except Unusable as error:
        raise refuse(error.code, path, error.why, str(value)) from None


_Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]


def _at_once(mapping: Mapping, sensors: dict[str, str | Sensor], take: Measured) -> Measured:
    """`take`, for records where each sensor and setting is a number, or a text that is one by
    JSON's rules: read all at once. What is not goes the longer way, which tells it."""
    paths = _paths_of_sensors(sensors)
    names, keys = list(paths), [*paths.values(), *mapping.settings]
    odd = any("." in key or not key.isprintable() or {*key} & {*'"\\'} for key in keys)
    if odd or len({*keys}) < len(keys) or mapping.decimal_sign != "." or not names:
        return take
    if any(_is_number(text) for text in mapping.absent):
        return take  # -999, say: no value
    if any(isinstance(one, Sensor) and one.lookup is not None for one in sensors.values()):
        return take  # a number may be a word for another one
    fields = [(f"f{nth}", _Finite | msgspec.UnsetType, msgspec.UNSET) for nth in range(len(keys))]
    renamed = {f"f{nth}": key for nth, key in enumerate(keys)}
    cells = msgspec.defstruct("Cells", fields, rename=renamed, gc=False)
    convert, tuple_of, unset = msgspec.convert, msgspec.structs.astuple, msgspec.UNSET
    equipment, count = mapping.equipment, len(names)

    def at_once(record: dict[str, Any]) -> dict[str, Any]:
        try:
            found = tuple_of(convert(record, cells, strict=False))
        except msgspec.ValidationError:
            return take(record)
        settings = found[count:]
        if unset not in found:
            measured = dict(zip(names, found, strict=False))
        else:
            pairs = zip(names, found, strict=False)
            measured = {name: value for name, value in pairs if value is not unset}
            settings = () if unset in settings else settings
        return {"equipment": equipment, "settings": settings, "sensors": measured}

    return at_once


def _is_number(text: str) -> bool:
    try:
        values.number(text)
    except Unusable:
        return False
    return True


def _paths_of_sensors(sensors: dict[str, str | Sensor]) -> dict[str, str]:
    return {name: one.path if isinstance(one, Sensor) else one for name, one in sensors.items()}


def _named(
    sensors: dict[str, str | Sensor], read: Callable[[Any], float], absent: Absent
) -> Sensors:
    gets = []
    for name, one in sensors.items():
        path, reader = (one, read) if isinstance(one, str) else (one.path, _state(one, read))
        gets.append((name, path, getter([path], absent), reader))

    def take(record: dict[str, Any]) -> dict[str, float]:
        return {
            name: _number(path, value, reader)
            for name, path, get, reader in gets
            if (value := get(record)) not in absent
        }

    return take


def _state(sensor: Sensor, read: Callable[[Any], float]) -> Callable[[Any], float]:
    """What reads a sensor that may tell a state in words."""
    if (lookup := sensor.lookup) is None:
        return read

    def known(value: Any) -> float:
        if (number := lookup.get(values.text(value))) is None:
            raise Unusable("out_of_range", "is not in the mapping's lookup")
        return number

    return known


def _one_sensor(long: Long, read: Callable[[Any], float], absent: Absent) -> Sensors:
    name_of = taken(Field(path=long.sensor, lookup=long.names), values.text, absent)
    value_of = getter([long.value], absent)
    list_of = None if long.at is None else getter([long.at], absent)

    def several(record: dict[str, Any]) -> dict[str, float]:
        assert list_of is not None
        if (elements := list_of(record)).__class__ is not list:
            raise refuse("wrong_type", long.at or "", "is no list of sensors", repr(elements))
        found = {}
        for element in elements:
            if element.__class__ is dict and (name := name_of(element)) is not None:
                try:
                    found[name] = read(value_of(element))
                except Unusable:
                    continue  # no number, so no sensor
        return found

    if list_of is not None:
        return several

    def take(record: dict[str, Any]) -> dict[str, float]:
        if (name := name_of(record)) is None or (value := value_of(record)) in absent:
            return {}
        return {name: _number(long.value, value, read)}

    return take


def _rest(mapping: Mapping, read: Callable[[Any], float], absent: Absent) -> Sensors:
    known = {
        "_file", "_row", LEARN_ONLY, *mapping.settings, *mapping.without, *mapping.card_numbers,
    }  # fmt: skip
    for field in mapping.fields.values():
        known |= {*paths_of(field), *(field.hash or ())}
    if mapping.only is not None:
        known.add(mapping.only.path)
    named = {path.partition(".")[0] for path in known} | known

    inner = None
    if mapping.sensors_at is not None:
        inner, named = getter([mapping.sensors_at], absent), {*mapping.without}

    def take(record: dict[str, Any]) -> dict[str, float]:
        found = {}
        if inner is not None:
            if (within := inner(record)).__class__ is not dict:
                what = "is no object of sensors"
                raise refuse("wrong_type", mapping.sensors_at or "", what, repr(within))
            record = within
        for name, value in record.items():
            if name not in named and value not in absent:
                try:
                    found[name] = read(value)
                except Unusable:
                    continue  # no number, so no sensor
        return found

    return take
