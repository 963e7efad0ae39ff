"""Which topology reads which topic."""

from typing import NamedTuple

from stormwatch.errors import SettingsError
from stormwatch.settings import Settings

ALL = "all"


class Stream(NamedTuple):
    """A topology, the topic it reads and the kind of events in it."""

    topology: str  # also the domain's name
    topic: str
    events: str  # transactions, readings, behaviour


def streams(settings: Settings, which: str = ALL) -> list[Stream]:
    """The stream of one topology; of ALL those that a plain `run` starts. Raises SettingsError."""
    known = [
        Stream("fraud", settings.topic_transactions, "transactions"),
        Stream("maintenance", settings.topic_readings, "readings"),
    ]
    by_name = [Stream("recommend", settings.topic_behaviour, "behaviour")]
    whole = [*known, *by_name]
    chosen = known if which == ALL else [stream for stream in whole if stream.topology == which]
    if not chosen:
        names = ", ".join([stream.topology for stream in whole] + [ALL])
        raise SettingsError(f"There is no topology {which!r}. Choose one of: {names}.")
    return chosen
