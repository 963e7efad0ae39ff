"""What a question of the API is, as data."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from apps.operate.casework import Who
from stormwatch.people import VIEWER

KEY_PARAMETER = "key"
"""A part of a path, by this name, is a parameter like those of the query."""


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A question without parameters, or a body without fields."""


class Raw(msgspec.Struct):
    """A body of whatever bytes: what is sent is to be judged elsewhere."""


class Download(NamedTuple):
    """A stream of bytes, and what to call it."""

    chunks: Iterator[bytes]
    media_type: str
    name: str


class Asker(NamedTuple):
    """Who asks; and the version of what they saw, None for whatever stands."""

    who: Who
    seen: int | None = None


class Route(NamedTuple):
    """A question: `of` is called with the parameters; of one with a body, with parameters, body
    and asker."""

    path: str
    asked: type[Any]  # a Struct: the parameters
    answer: Any
    says: str
    of: Callable[..., Any]
    quick: bool = False  # answered from what is in memory: no thread is needed
    method: str = "GET"
    body: type[Any] | None = None  # a Struct: the JSON that is sent along
    role: str = VIEWER  # the least that may ask
    versioned: bool = False  # wants If-Match, answers with an ETag
