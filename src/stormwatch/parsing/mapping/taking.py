"""What gives a field's value of a record: by its path, as a hash, or a constant."""

from collections.abc import Callable
from collections.abc import Mapping as Values
from typing import Any

from stormwatch.parsing.mapping import values
from stormwatch.parsing.mapping.document import Field, paths_of
from stormwatch.parsing.mapping.values import Unusable
from stormwatch.parsing.rejections import refuse

Get = Callable[[dict[str, Any]], Any]
Take = Callable[[dict[str, Any]], Any]
Absent = tuple[Any, ...]
"""What means that a record has no value there: None, "" and the mapping's own texts."""


def taken(field: Field, read: Callable[[Any], Any], absent: Absent) -> Take:
    """What gives a field's value of a record; None where it is absent."""
    if field.constant is not None:
        constant = read(field.constant)
        return lambda record: constant
    if field.hash is not None:
        return _hashed(field.hash, field.prefix, absent)
    paths = paths_of(field)
    get, default = getter(paths, absent), field.default

    def take(record: dict[str, Any]) -> Any:
        value = get(record)
        if value in absent:
            if default is None:
                return None
            value = default
        try:
            return read(value)
        except Unusable as error:
            raise refuse(error.code, paths[0], error.why, str(value)) from None

    read = _changed(field, read)
    if len(paths) == 1 and "." not in paths[0]:
        return _plainly(paths[0], read, take, absent)
    return take


def _plainly(path: str, read: Callable[[Any], Any], take: Take, absent: Absent) -> Take:
    """`take` for a field that is there and has one name: what nearly every record comes to."""
    more = absent[2:]

    def soon(record: dict[str, Any]) -> Any:
        if (value := record.get(path)) and not (more and value in more):
            try:
                return read(value)
            except Unusable:
                pass  # it is told by the longer way
        return take(record)

    return soon


def _changed(field: Field, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`read`, with the field's lookup before it and its prefix behind it."""
    lookup, prefix = field.lookup, field.prefix
    if lookup is None and not prefix:
        return read

    def changed(value: Any) -> Any:
        if lookup is not None:
            if (known := lookup.get(values.text(value))) is None:
                raise Unusable("out_of_range", "is not in the mapping's lookup")
            value = known
        return prefix + read(value) if prefix else read(value)

    return changed


def _hashed(paths: list[str], prefix: str, absent: Absent) -> Take:
    gets = [(path, getter([path], absent)) for path in paths]

    def take(record: dict[str, Any]) -> str:
        found = []
        for path, get in gets:
            if (value := get(record)) in absent:
                raise refuse("missing_field", path, "is missing, an id is made of it", "")
            found.append(value if value.__class__ is str else repr(value))
        return prefix + values.stable_id(tuple(found))

    return take


def getter(paths: list[str], absent: Absent) -> Get:
    """What gives the first of the paths that is present and not absent; else None or ""."""
    if len(paths) == 1 and "." not in paths[0]:
        path = paths[0]
        return lambda record: record.get(path)
    steps = [(path, path.split(".")) for path in paths]

    def get(record: dict[str, Any]) -> Any:
        for path, inner in steps:
            value = record.get(path)  # a key may hold a dot
            if value is None and len(inner) > 1:
                value = record
                for step in inner:
                    value = value.get(step) if isinstance(value, Values) else None
            if value not in absent:
                return value
        return None

    return get
