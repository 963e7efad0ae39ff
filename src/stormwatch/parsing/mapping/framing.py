"""What stands before a record of a schema registry, and how schemas are asked for. Pure.

Confluent's wire format: a zero byte, four bytes of the schema's number, big-endian, the record.
"""

from collections.abc import Callable

from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping.document import Mapping
from stormwatch.parsing.rejections import refuse

Schemas = Callable[[int], str | None]
"""From a schema's number to its text; None where the registry has no such schema. Raises
InfrastructureError where it does not answer: the batch is then tried again."""
_HEAD = 5


class UnusableSchema(Exception):
    """A schema that records cannot be read by; the message is the end of a sentence."""


def no_registry(number: int) -> str | None:
    """Where no registry is named. Raises SettingsError."""
    raise SettingsError(
        f"A record names the schema {number} of a registry, and the setting registry.url is empty. "
        "Set it to the registry's address, such as http://127.0.0.1:8081."
    )


def text_of(mapping: Mapping, file: str) -> str:
    """What is in the file of a mapping's schema. Raises UnusableSchema where only its name came."""
    if (text := mapping.schema_texts.get(file)) is None:
        raise UnusableSchema(
            f"names the file {file}, which did not come along: name the mapping by its file, and "
            "the schema is read beside it"
        )
    return text


def framed(value: bytes) -> tuple[int, bytes]:
    """A value's schema number and the record behind it. Raises Refused."""
    if len(value) < _HEAD or value[0] != 0:
        why = "does not begin with a zero byte and a schema's number, as the framing confluent does"
        raise refuse("not_framed", "", why, value)
    return int.from_bytes(value[1:_HEAD], "big"), value[_HEAD:]
