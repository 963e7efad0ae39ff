"""The domains by name, for commands that work on one of them."""

from collections.abc import Callable
from typing import Any

from apps.run.streams import Stream, streams
from stormwatch.domain import Domain
from stormwatch.errors import SettingsError
from stormwatch.fraud import Fraud
from stormwatch.maintenance import Maintenance
from stormwatch.settings import Settings

MAKE: dict[str, Callable[[Settings], Domain[Any, Any]]] = {
    "fraud": Fraud.from_settings,
    "maintenance": Maintenance.from_settings,
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
    for stream in streams(settings):
        if stream.topic == topic:
            return stream
    known = ", ".join(stream.topic for stream in streams(settings))
    raise SettingsError(f"No topology reads the topic {topic!r}. The topics are: {known}.")
