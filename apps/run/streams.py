"""Which topology reads which topic."""

from typing import NamedTuple

from stormwatch.errors import SettingsError
from stormwatch.settings import Settings

ALL = "all"


class Stream(NamedTuple):
    """A topology, the topic it reads and the kind of events in it."""

    topology: str  # also the domain's name
    topic: str
    events: str  # transactions, readings


def streams(settings: Settings, which: str = ALL) -> list[Stream]:
    """The streams of one topology, or of all. Raises SettingsError for an unknown one."""
    known = [
        Stream("fraud", settings.topic_transactions, "transactions"),
        Stream("maintenance", settings.topic_readings, "readings"),
    ]
    chosen = [stream for stream in known if which in (ALL, stream.topology)]
    if not chosen:
        names = ", ".join([stream.topology for stream in known] + [ALL])
        raise SettingsError(f"There is no topology {which!r}. Choose one of: {names}.")
    return chosen
