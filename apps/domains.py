"""The domains by name, for commands that work on one of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from apps.kinds import KINDS, Kind
from apps.run.streams import Stream, every, streams
from stormwatch.domain import Domain
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings


def _make(kind: Kind, settings: Settings) -> Domain[Any, Any]:
    made: Domain[Any, Any] = kind.make(settings)
    return made


MAKE: dict[str, Callable[[Settings], Domain[Any, Any]]] = {
    kind.topology: partial(_make, kind) for kind in KINDS if kind.domain
}
"""Each with its model loaded. Raise ModelError."""


def stream_of(settings: Settings, name: str) -> Stream:
    """The stream of one domain. Raises SettingsError for an unknown one."""
    (found,) = streams(settings, name)[:1]
    if name not in MAKE:
        raise SettingsError(f"{name!r} is no domain. Choose one of: {', '.join(MAKE)}.")
    return found


def of_topic(settings: Settings, topic: str) -> Stream:
    """The stream that reads a topic. Raises SettingsError for an unknown topic."""
    for stream in every(settings):
        if stream.topic == topic:
            return stream
    known = ", ".join(stream.topic for stream in every(settings))
    raise SettingsError(f"No topology reads the topic {topic!r}. The topics are: {known}.")
