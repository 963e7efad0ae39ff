"""Protobuf messages as objects that a mapping's paths lead into. Pure; needs the package protobuf.

Fields have their names in the .proto. A field that was not set is absent where Protobuf can tell,
else its default. A Timestamp is whole nanoseconds (`epoch_ns`), an enum its name, bytes are base64,
NaN is no value. Fields that the descriptor does not know are passed over, as Protobuf means them to
be: so a producer may add some.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from math import isfinite, isnan
from typing import Any

from stormwatch.errors import PackageMissing
from stormwatch.parsing.mapping.document import Mapping
from stormwatch.parsing.mapping.framing import Schemas, UnusableSchema, framed, text_of
from stormwatch.parsing.rejections import DEPTH_MAX, refuse

_TIMESTAMP = "google.protobuf.Timestamp"
_VARINT_MAX = 10  # bytes
Decode = Callable[[bytes], dict[str, Any]]


def decoder(mapping: Mapping, schemas: Schemas) -> Decode:
    """A record's value to its object, by the mapping's descriptor set.

    Raises UnusableSchema; PackageMissing without protobuf. What it makes raises Refused.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise PackageMissing(
            'A mapping has format = "protobuf", and the package protobuf is not installed. Run '
            "`.venv/bin/pip install -c constraints.txt -r requirements/protobuf.txt`, and add its "
            "line to virtualenvs/ for workers."
        ) from error
    wanted = _descriptor(mapping, descriptor_pb2, descriptor_pool, DecodeError)
    parse = message_factory.GetMessageClass(wanted).FromString
    is_framed = mapping.schema.framing != "none"

    def decode(value: bytes) -> dict[str, Any]:
        body = value
        if is_framed:
            _, body = framed(value)
            body = _of_message(wanted, body, value)
        try:
            message = parse(body)
        except (DecodeError, UnicodeDecodeError) as error:
            why = f"cannot be read as {mapping.schema.message}"
            raise refuse("not_of_schema", "", why, body) from error
        return _plain(message, 0, value)

    return decode


def _descriptor(
    mapping: Mapping, descriptor_pb2: Any, descriptor_pool: Any, undecodable: type[Exception]
) -> Any:
    """What the descriptor set says of the message, by protobuf's own modules.

    Raises UnusableSchema.
    """
    file, name = mapping.schema.file or "", mapping.schema.message
    text = text_of(mapping, file)
    pool = descriptor_pool.DescriptorPool()
    try:
        found = descriptor_pb2.FileDescriptorSet.FromString(b64decode(text, validate=True))
        for one in found.file:
            pool.Add(one)
    except (undecodable, TypeError, ValueError) as error:
        why = f"names {file}, which is no descriptor set of protoc --include_imports: {error}"
        raise UnusableSchema(why) from error
    try:
        return pool.FindMessageTypeByName(name)
    except KeyError as error:
        there = [f"{one.package}.{m.name}".lstrip(".") for one in found.file
                 for m in one.message_type]  # fmt: skip
        why = f"names the message {name}, and {file} has {', '.join(there) or 'none'}"
        raise UnusableSchema(why) from error


def _of_message(wanted: Any, body: bytes, value: bytes) -> bytes:
    """The message behind the indexes that say which of the schema's messages it is; refused where
    it is another than the mapping's. Raises Refused."""
    count, at = _varint(body, 0, value)
    path = []
    for _ in range(min(count, DEPTH_MAX)):
        index, at = _varint(body, at, value)
        path.append(index)
    path = path or [0]
    if path != _path(wanted):
        why = f"is another message of its schema (number {path}) than {wanted.full_name}"
        raise refuse("unknown_type", "", why, value)
    return body[at:]


def _path(wanted: Any) -> list[int]:
    """Where the message stands in its file: its place, or the outer one's and its place there."""
    outer = wanted.containing_type
    if outer is None:
        return [list(wanted.file.message_types_by_name).index(wanted.name)]
    return [*_path(outer), [one.name for one in outer.nested_types].index(wanted.name)]


def _varint(body: bytes, at: int, value: bytes) -> tuple[int, int]:
    """A zigzag number at a place, and the place behind it. Raises Refused."""
    found = 0
    for k, byte in enumerate(body[at : at + _VARINT_MAX]):
        found |= (byte & 0x7F) << 7 * k
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at + k + 1
    why = "ends within the numbers that say which message it is"
    raise refuse("not_framed", "", why, value)


def _plain(message: Any, depth: int, value: bytes) -> dict[str, Any]:
    """A message as JSON has it. Raises Refused."""
    if depth == DEPTH_MAX:
        raise refuse("too_deep", "", f"is nested deeper than {DEPTH_MAX} levels", value)
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        name = field.name
        if field.has_presence and not message.HasField(name):
            continue
        got = getattr(message, name)
        if not field.is_repeated:
            found[name] = _one(got, field, depth, value)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            found[name] = {str(key): _one(got[key], inner, depth, value) for key in got}
        else:
            found[name] = [_one(one, field, depth, value) for one in got]
    return found


def _one(got: Any, field: Any, depth: int, value: bytes) -> Any:
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            return got.seconds * 10**9 + got.nanos
        return _plain(got, depth + 1, value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(got)
        return got if known is None else known.name
    if got.__class__ is float and not isfinite(got):
        if isnan(got):
            return None
        raise refuse("out_of_range", field.name, "is not a finite number", str(got))
    return b64encode(got).decode() if got.__class__ is bytes else got
