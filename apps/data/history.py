"""`publish --learn-only`: records that say of themselves that they are history."""

from collections.abc import Iterable, Iterator

import msgspec

from apps.data.publish import Event, Keyed
from stormwatch.parsing.mapping import LEARN_ONLY, SPACE, Mapped

_OF_FORMAT = b'"learn_only":true'
_OF_MAPPING = b'"%s":"true"' % LEARN_ONLY.encode()
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def marked(events: Iterable[Keyed], mapped: Mapped | None) -> Iterator[Event]:
    """The same records with one more field, as their mapping reads it, or our own format."""
    for event in events:
        if mapped is not None and mapped.format == "csv":
            yield Event(event.key, _line(event.value, mapped.csv.delimiter))
        else:
            yield Event(event.key, _object(event.value, _OF_MAPPING if mapped else _OF_FORMAT))


def _line(value: bytes, delimiter: str) -> bytes:
    between = " " if delimiter == SPACE else delimiter
    return value.rstrip(b"\r\n") + between.encode() + LEARN_ONLY.encode()


def _object(value: bytes, mark: bytes) -> bytes:
    """What is no JSON object goes as it is: it is refused."""
    try:
        fields = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return value
    name = mark.partition(b":")[0].strip(b'"').decode()
    if name in fields:
        if bytes(fields[name]) == mark.partition(b":")[2]:
            return value
        del fields[name]
        value = msgspec.json.encode(fields)
    body = value.rstrip()[:-1]
    return body + (b"," if fields else b"") + mark + b"}"
