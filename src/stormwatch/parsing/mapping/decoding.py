"""A record's value as an object: what a mapping's paths lead into."""

import csv
from collections.abc import Callable
from collections.abc import Mapping as Values
from io import StringIO
from typing import Any

from stormwatch.parsing.mapping import avro, protobuf
from stormwatch.parsing.mapping.document import SPACE, Mapping
from stormwatch.parsing.mapping.framing import Schemas
from stormwatch.parsing.rejections import DEPTH_MAX, Refused, refuse
from stormwatch.records import Rejection

LEARN_ONLY = "_learn_only"
"""The field, "true", in which a producer says that a row is history, to be learned only; of a line
of CSV, one more cell at its end."""


def _csv_line(mapping: Mapping, schemas: Schemas) -> Callable[[bytes], dict[str, Any]]:
    """A record's value as one row: its cells by the names of the columns. Raises Refused."""
    names = mapping.csv.names
    how: dict[str, Any] = {"quotechar": mapping.csv.quote, "strict": True}
    how["delimiter"] = mapping.csv.delimiter

    def take(value: bytes) -> dict[str, Any]:
        try:
            line = value.decode()
        except UnicodeDecodeError as error:
            why = f"is not UTF-8 from byte {error.start}"
            raise refuse("not_utf8", "", why, value[error.start :]) from error
        if not line.strip():
            raise Refused(Rejection("empty", "the record's value is empty"))
        try:
            if mapping.csv.delimiter == SPACE:
                rows = [line.split()]
            else:
                rows = list(csv.reader(StringIO(line, newline=""), **how))
        except csv.Error as error:
            raise refuse("wrong_type", "", f"is no line of CSV: {error}", value) from error
        history: dict[str, str] = {}
        if len(rows) == 1 and rows[0][-1] == LEARN_ONLY:  # a cell more, that no column has
            rows[0].pop()
            history[LEARN_ONLY] = "true"
        if len(rows) != 1 or len(rows[0]) != len(names):
            cells = f"{len(rows)} lines" if len(rows) != 1 else f"{len(rows[0])} cells"
            why = f"has {cells}, and the mapping names {len(names)} columns of one line"
            raise refuse("wrong_type", "", why, value)
        return dict(zip(names, rows[0], strict=True)) | history

    return take


DECODERS: dict[str, Callable[[Mapping, Schemas], Callable[[bytes], dict[str, Any]]]] = {
    "csv": _csv_line,
    "avro": avro.decoder,
    "protobuf": protobuf.decoder,
}
"""Formats of a record's value beside JSON, by the mapping's `format`."""


def quotes_in(value: Any, depth: int) -> int:
    """Quotes in the JSON of a value; fewer than there are where it is nested too deep."""
    if value.__class__ is str:
        return 2
    quotes = 0
    if value.__class__ is dict and depth < DEPTH_MAX:
        quotes = 2 * len(value)
        for each in value.values():
            if each.__class__ is str:
                quotes += 2
            elif each.__class__ is dict or each.__class__ is list:
                quotes += quotes_in(each, depth + 1)
    elif value.__class__ is list and depth < DEPTH_MAX:
        for each in value:
            quotes += quotes_in(each, depth + 1)
    return quotes


def unwrapped(record: dict[str, Any], envelope: str, value: bytes) -> dict[str, Any]:
    """The event's own object within its envelope."""
    if envelope == "none":
        return record
    if envelope == "cloudevents":
        inner, name = record.get("data"), "data"
    else:  # Debezium: with a schema it stands in `payload`; a delete has no `after`
        change = record.get("payload", record)
        inner = change.get("after") if isinstance(change, Values) else None
        name = "after"
    if inner.__class__ is not dict:
        raise refuse("missing_field", name, f"is no object: is this a {envelope} envelope?", value)
    found: dict[str, Any] = inner
    return found
