"""Which topology reads which topic."""

from typing import NamedTuple

from apps.data.kinds import KINDS
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings

ALL = "all"


class Stream(NamedTuple):
    """A topology, the topic it reads and the kind of events in it."""

    topology: str  # also the domain's name
    topic: str
    events: str  # see apps.data.kinds


def every(settings: Settings) -> list[Stream]:
    """All that there are."""
    return [
        Stream(kind.topology, getattr(settings, f"topic_{kind.events}"), kind.events)
        for kind in KINDS
    ]


def streams(settings: Settings, which: str = ALL) -> list[Stream]:
    """The stream of one topology; of ALL those that a plain `run` starts. Raises SettingsError."""
    whole = every(settings)
    main = {kind.topology for kind in KINDS if kind.main}
    chosen = [s for s in whole if s.topology == which or (which == ALL and s.topology in main)]
    if not chosen:
        names = ", ".join([stream.topology for stream in whole] + [ALL])
        raise SettingsError(f"There is no topology {which!r}. Choose one of: {names}.")
    return chosen
