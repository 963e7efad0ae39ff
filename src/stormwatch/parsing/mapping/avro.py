"""Avro records as objects that a mapping's paths lead into. Pure; needs the package fastavro.

Values stay as exact as they were written: a decimal becomes its digits as text, a time of the
logical types stays the whole number that Avro has (`epoch_ms` of timestamp-millis, `epoch_us` of
timestamp-micros), bytes become base64, NaN is no value. Schemas that recur in themselves, and lists
whose elements take no bytes, are refused: a record of few bytes could ask for endless work.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from collections.abc import Mapping as Values
from decimal import Decimal
from io import BytesIO
from math import isfinite, isnan
from typing import Any

from stormwatch.errors import PackageMissing
from stormwatch.parsing.mapping.document import Mapping
from stormwatch.parsing.mapping.framing import Schemas, UnusableSchema, framed, text_of
from stormwatch.parsing.rejections import refuse

SCHEMAS_MAX = 1000
"""Writers' schemas that are kept; the first is then forgotten."""
_MADE_OF = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1,
            "string": 1}  # fmt: skip
"""Type -> the fewest bytes that it takes."""
_KEPT = {"decimal", "uuid"}
"""Logical types that are read as what they mean; others as what they are made of."""

Decode = Callable[[bytes], dict[str, Any]]


def decoder(mapping: Mapping, schemas: Schemas) -> Decode:
    """A record's value to its object, by the mapping's `schema`.

    Raises UnusableSchema; PackageMissing without fastavro. What it makes raises Refused.
    """
    try:
        from fastavro import parse_schema, schemaless_reader
    except ImportError as error:
        raise PackageMissing(
            'A mapping has format = "avro", and the package fastavro is not installed. Run '
            "`.venv/bin/pip install -c constraints.txt -r requirements/avro.txt`, and add its line "
            "to virtualenvs/ for workers."
        ) from error

    def ready(text: str) -> Any:
        try:
            return parse_schema(checked(json.loads(text)))
        except UnusableSchema:
            raise
        except Exception as error:  # fastavro has no one base of its errors
            raise UnusableSchema(f"names an Avro schema that cannot be used: {error}") from error

    file = mapping.schema.file
    reader = None if file is None else ready(text_of(mapping, file))

    def read(body: bytes, writer: Any, reader: Any) -> dict[str, Any]:
        stream = BytesIO(body)
        try:
            found = schemaless_reader(stream, writer, reader)
        except Exception as error:  # of bytes that are anything: whatever is raised, it is refused
            why = f"cannot be read by its Avro schema ({type(error).__name__}: {error})"
            raise refuse("not_of_schema", "", why, body) from error
        if stream.tell() != len(body):
            why = f"has {len(body) - stream.tell()} bytes more than its Avro schema says"
            raise refuse("not_of_schema", "", why, body)
        if found.__class__ is not dict:
            raise refuse("wrong_type", "", "is no record: its Avro schema is of another type", body)
        return {name: _plain(value, name, body) for name, value in found.items()}

    if mapping.schema.framing == "none":
        return lambda value: read(value, reader, None)
    writers: dict[int, Any] = {}

    def by_number(value: bytes) -> dict[str, Any]:
        number, body = framed(value)
        if (writer := writers.get(number)) is None:
            if (text := schemas(number)) is None:
                why = f"names the schema {number}, which the registry does not have"
                raise refuse("unknown_schema", "", why, value)
            try:
                writer = ready(text)
            except UnusableSchema as error:
                why = f"names the schema {number}, whose file {error}"
                raise refuse("unknown_schema", "", why, value) from error
            if len(writers) >= SCHEMAS_MAX:
                del writers[next(iter(writers))]
            writers[number] = writer
        return read(body, writer, reader)

    return by_number


def checked(schema: Any) -> Any:
    """The schema with logical types of time taken off. Raises UnusableSchema."""
    plain, _ = _checked(schema, {}, "")
    return plain


def _checked(schema: Any, known: dict[str, int | None], space: str) -> tuple[Any, int]:
    """The schema as it is used, and the fewest bytes that one of it takes. `known` has named types
    by their full names: None while one is being looked at."""
    if isinstance(schema, list):
        parts = [_checked(one, known, space) for one in schema]
        return [one for one, _ in parts], 1
    if isinstance(schema, str):
        return schema, _least(schema, known, space)
    if not isinstance(schema, Values):
        raise UnusableSchema(f"has {schema!r} where an Avro type has to stand")
    kind = schema.get("type")
    if isinstance(kind, dict | list):
        return _checked(kind, known, space)
    plain = dict(schema)
    if plain.get("logicalType") not in _KEPT:
        plain.pop("logicalType", None)
    if kind in ("array", "map"):
        inner = "items" if kind == "array" else "values"
        plain[inner], least = _checked(schema.get(inner), known, space)
        if least == 0 and kind == "array":
            raise UnusableSchema("has an array whose elements take no bytes: a record could have "
                                 "endlessly many of them")  # fmt: skip
        return plain, 1
    if kind in ("record", "error", "enum", "fixed"):
        return _named(plain, known, space)
    return plain, _least(str(kind), known, space)


def _named(plain: dict[str, Any], known: dict[str, int | None], space: str) -> tuple[Any, int]:
    space = plain.get("namespace", space)
    name = _full(str(plain.get("name", "")), space)
    known[name] = None
    least = 1
    if plain["type"] == "fixed":
        least = int(plain.get("size", 0))
    elif plain["type"] != "enum":
        inner, least = name.rpartition(".")[0], 0
        fields = []
        for field in plain.get("fields", ()):
            made, size = _checked(field.get("type"), known, inner)
            fields.append({**field, "type": made})
            least += size
        plain["fields"] = fields
    known[name] = least
    return plain, least


def _least(name: str, known: dict[str, int | None], space: str) -> int:
    if name in _MADE_OF:
        return _MADE_OF[name]
    least = known.get(_full(name, space), known.get(name, 1))
    if least is None:
        raise UnusableSchema(f"has the type {name}, which recurs in itself")
    return least


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _plain(value: Any, name: str, body: bytes) -> Any:
    """A value as JSON has it. Raises Refused."""
    kind = value.__class__
    if kind is float and not isfinite(value):
        if isnan(value):
            return None
        raise refuse("out_of_range", name, "is not a finite number", str(value))
    if kind is dict:
        return {key: _plain(one, key, body) for key, one in value.items()}
    if kind is list:
        return [_plain(one, name, body) for one in value]
    if kind is Decimal:
        return format(value, "f")
    if kind is bytes:
        return b64encode(value).decode()
    return value if kind in (str, int, float, bool) or value is None else str(value)
