"""Cells as Spanner's API has them: JSON values, where a whole number and bytes are texts."""

import struct
import time
from base64 import b64decode, b64encode
from binascii import b2a_base64
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
    return Keys.FromString(_rows(_KEYS, rows))


def writes(table: str, columns: str, rows: Iterable[Row], *, new: bool = False) -> Any:
    """A mutation that puts whole rows; `new`: refused where one of them is there."""
    head = _framed(_TABLE, table.encode())
    head += b"".join(_framed(_COLUMNS, name.encode()) for name in names(columns))
    return Change.FromString(_framed(_INSERT if new else _PUT, head + _rows(_VALUES, rows)))


def deletes(table: str, rows: Iterable[Row]) -> Any:
    """A mutation that deletes rows by their whole keys."""
    return Change(delete={"table": table, "key_set": keys(rows)})


# Rows are written as protobuf's bytes, column by column, and then read by its parser: some
# five times faster than one message a cell. Tags are those of google/spanner/v1/mutation.proto,
# keys.proto and google/protobuf/struct.proto.
_INSERT, _PUT = b"\x0a", b"\x1a"
_TABLE, _COLUMNS, _VALUES = b"\x0a", b"\x12", b"\x1a"
_KEYS = b"\x0a"
_VALUE = b"\x0a"  # of a ListValue
_NOTHING = _VALUE + b"\x02\x08\x00"
_FLOAT = _VALUE + b"\x09\x11"
_TEXT = b"\x1a"
_double = struct.Struct("<d").pack


def _number_of(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


_VARINTS = [_number_of(number) for number in range(4_096)]


def _varint(number: int) -> bytes:
    return _VARINTS[number] if number < len(_VARINTS) else _number_of(number)


def _framed(tag: bytes, body: bytes) -> bytes:
    return tag + _varint(len(body)) + body


def _text_head(size: int) -> bytes:
    """What stands before a text of so many bytes that is one value of a list."""
    inner = _TEXT + _varint(size)
    return _VALUE + _varint(len(inner) + size) + inner


_HEADS = [_text_head(size) for size in range(2_048)]


def _texts(column: Iterable[bytes]) -> list[bytes]:
    return [(_HEADS[n] if (n := len(v)) < len(_HEADS) else _text_head(n)) + v for v in column]


def _bytes(column: Iterable[bytes]) -> list[bytes]:
    return _texts([b2a_base64(v, newline=False) for v in column])


_COLUMN: dict[type, Callable[[Sequence[Any]], list[bytes]]] = {
    str: lambda column: _texts([v.encode() for v in column]),
    int: lambda column: _texts([b"%d" % v for v in column]),
    bytes: _bytes,
}


def _encoded(value: Any) -> bytes:
    """One value of a list, of any type."""
    return _framed(_VALUE, cell(value).SerializeToString())


def _column(column: Sequence[Any]) -> Sequence[bytes]:
    first, kinds = column[0], set(map(type, column))
    if kinds == {float} and all(map(isfinite, column)):  # 0.0 and -0.0 are equal, and two
        return [_FLOAT + _double(v) for v in column]
    if len(kinds) == 1 and column.count(first) == len(column):
        return [_encoded(first)] * len(column)
    if None in column and len(kinds) == 2:
        there = iter(_column([v for v in column if v is not None]))
        return [_NOTHING if v is None else next(there) for v in column]
    if len(kinds) == 1 and (encode := _COLUMN.get(type(first))) is not None:
        return encode(column)
    return [_encoded(v) for v in column]


def _rows(tag: bytes, rows: Iterable[Row]) -> bytes:
    """Rows as fields of this tag, each a ListValue."""
    columns = [_column(column) for column in zip(*rows, strict=True)]
    made = [b"".join(cells) for cells in zip(*columns, strict=True)]
    return b"".join([tag + _varint(len(row)) + row for row in made])


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
