"""`publish --learn-only`: records that say of themselves that they are history."""

from collections.abc import Iterable, Iterator

import msgspec

from apps.data.publish import Event, Keyed
from stormwatch.parsing.mapping import LEARN_ONLY

OF_FORMAT = b'"learn_only":true'
OF_MAPPING = b'"%s":"true"' % LEARN_ONLY.encode()
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def marked(events: Iterable[Keyed], mark: bytes) -> Iterator[Event]:
    """The same records with one more field. What is no JSON object goes as it is: it is refused."""
    for event in events:
        yield Event(event.key, _marked(event.value, mark))


def _marked(value: bytes, mark: bytes) -> bytes:
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
