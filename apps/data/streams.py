"""Which topology reads which topic."""

from typing import NamedTuple

from apps.data.kinds import KINDS
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import topics
from stormwatch.settings import Settings

ALL = "all"


class Stream(NamedTuple):
    """A topology, the topic it reads and the kind of events in it."""

    topology: str  # also the domain's name
    topic: str
    events: str  # see apps.data.kinds
    more: tuple[str, ...] = ()
    """Further topics that the topology reads: those of mappings, and of labels."""

    @property
    def topics(self) -> tuple[str, ...]:
        """All that the topology reads."""
        return (self.topic, *self.more)


def every(settings: Settings) -> list[Stream]:
    """All that there are. Raises SettingsError."""
    return [
        Stream(kind.topology, first, kind.events, tuple(more))
        for kind in KINDS
        for first, *more in [topics(settings, kind.events)]
    ]


def all_topics(settings: Settings) -> list[str]:
    """Every topic that a topology reads. Raises SettingsError."""
    return [topic for stream in every(settings) for topic in stream.topics]


def streams(settings: Settings, which: str = ALL) -> list[Stream]:
    """The stream of one topology; of ALL those that a plain `run` starts. Raises SettingsError."""
    whole = every(settings)
    main = {kind.topology for kind in KINDS if kind.main}
    chosen = [s for s in whole if s.topology == which or (which == ALL and s.topology in main)]
    if not chosen:
        names = ", ".join([stream.topology for stream in whole] + [ALL])
        raise SettingsError(f"There is no topology {which!r}. Choose one of: {names}.")
    return chosen
