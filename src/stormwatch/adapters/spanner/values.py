"""Cells as Spanner's API has them: JSON values, where a whole number and bytes are texts."""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from google.cloud.spanner_v1.types import CommitRequest, KeySet, Mutation, Type, TypeCode
from google.protobuf.struct_pb2 import ListValue, Value


def _class_of(message: Any) -> Any:
    """The plain protobuf class: filling it is several times faster than its wrapper."""
    return type(message.pb(message()))


Commit, Change, Keys = _class_of(CommitRequest), _class_of(Mutation), _class_of(KeySet)
Row = Sequence[Any]

_TYPES = {
    bool: Type(code=TypeCode.BOOL),
    int: Type(code=TypeCode.INT64),
    float: Type(code=TypeCode.FLOAT64),
    str: Type(code=TypeCode.STRING),
    bytes: Type(code=TypeCode.BYTES),
}
_READ = {
    TypeCode.BOOL: lambda v: v.bool_value,
    TypeCode.INT64: lambda v: int(v.string_value),
    TypeCode.FLOAT64: lambda v: float(v.string_value or v.number_value),
    TypeCode.STRING: lambda v: v.string_value,
    TypeCode.BYTES: lambda v: b64decode(v.string_value),
}


def _number(value: float) -> Value:
    if isfinite(value):
        return Value(number_value=value)
    return Value(string_value={"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity"))


_WRITE: dict[type, Callable[[Any], Value]] = {
    type(None): lambda v: Value(null_value=0),
    bool: lambda v: Value(bool_value=v),
    int: lambda v: Value(string_value=str(v)),
    float: _number,
    str: lambda v: Value(string_value=v),
    bytes: lambda v: Value(string_value=b64encode(v).decode()),
    list: lambda v: Value(list_value=ListValue(values=map(cell, v))),
}


def cell(value: Any) -> Value:
    """One value. Times are given as texts."""
    return _WRITE[type(value)](value)


def type_of(value: Any) -> Type:
    """Of a parameter; a list must not be empty."""
    if isinstance(value, list):
        return Type(code=TypeCode.ARRAY, array_element_type=_TYPES[type(value[0])])
    return _TYPES[type(value)]


def keys(rows: Iterable[Row]) -> Any:
    """A KeySet of whole keys."""
    return Keys(keys=[ListValue(values=map(cell, row)) for row in rows])


def writes(table: str, columns: str, rows: Iterable[Row], *, new: bool = False) -> Any:
    """A mutation that puts whole rows; `new`: refused where one of them is there."""
    cells = [ListValue(values=map(cell, row)) for row in rows]
    write = {"table": table, "columns": names(columns), "values": cells}
    return Change(insert=write) if new else Change(insert_or_update=write)


def deletes(table: str, rows: Iterable[Row]) -> Any:
    """A mutation that deletes rows by their whole keys."""
    return Change(delete={"table": table, "key_set": keys(rows)})


def names(columns: str) -> list[str]:
    """Column names of a list as SQL has it."""
    return [name.strip("` ") for name in columns.split(",")]


def rows_of(parts: Iterable[Any]) -> Iterator[list[Any]]:
    """Rows of a streamed answer. Texts and bytes may be cut anywhere, also between two parts."""
    readers: list[Any] = []
    row: list[Any] = []
    cut: Value | None = None
    for part in parts:
        part = type(part).pb(part)  # noqa: PLW2901 (the wrapper is slow)
        if part.HasField("metadata") and not readers:
            readers = [_READ[TypeCode(f.type_.code)] for f in part.metadata.row_type.fields]
        values = list(part.values)
        if cut is not None and values:
            values[0] = Value(string_value=cut.string_value + values[0].string_value)
            cut = None
        if part.chunked_value:
            cut = values.pop()
        for value in values:
            null = value.WhichOneof("kind") == "null_value"
            row.append(None if null else readers[len(row)](value))
            if len(row) == len(readers):
                yield row
                row = []


def in_days(days: int) -> str:
    """The time in so many days, by this machine's clock, as Spanner reads it."""
    then = datetime.fromtimestamp(time.time() + 86_400 * days, UTC)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")
