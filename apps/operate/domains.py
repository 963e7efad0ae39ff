"""The domains by name, for commands that work on one of them."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from apps.build.topology_file import topology_class
from apps.data.kinds import BY_TOPOLOGY, KINDS, Kind
from apps.data.streams import ALL, Stream, all_topics, every, streams
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import is_rekeyed, label_topic
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

_TOPOLOGIES = Path(__file__).parents[2] / "topologies"


def _make(kind: Kind, settings: Settings) -> Domain[Any, Any]:
    made: Domain[Any, Any] = kind.make(settings)
    return made


MAKE: dict[str, Callable[[Settings], Domain[Any, Any]]] = {
    kind.topology: partial(_make, kind) for kind in KINDS if kind.domain
}
"""Each with its model loaded. Raise ModelError."""

DIRECT = tuple(kind.topology for kind in KINDS if kind.domain and not kind.split)
"""Domains that decide each record once, under its key in Kafka. After a repartition a record is
several events, of keys that other partitions share."""


def one(settings: Settings, name: str) -> Stream:
    """The stream of one topology whose domain is known. Raises SettingsError."""
    for stream in every(settings):
        if stream.topology == name and name in MAKE:
            return stream
    raise SettingsError(f"There is no topology {name!r}. Choose one of: {', '.join(MAKE)}.")


def provable(settings: Settings, name: str) -> Stream:
    """As `one`; raises SettingsError too where the log alone does not say what must be stored."""
    stream = one(settings, name)
    others = set(stream.more) - {label_topic(settings, stream.events)}
    if BY_TOPOLOGY[name].shared or others or is_rekeyed(settings, stream.events):
        instead = f"./stormwatch ledger --topic {stream.topic}" + " --verify" * (name in DIRECT)
        raise SettingsError(
            f"{name} is not provable: partitions share keys, so the log alone does not say what "
            f"must be stored; check its records' end states instead: `{instead}`."
        )
    return stream


def chosen(settings: Settings, which: str) -> list[Stream]:
    """One topology's stream, or of all there are; then those of bolts that keep states of their
    own, under their names. Raises SettingsError."""
    found = every(settings) if which == ALL else streams(settings, which)
    return [*found, *(s._replace(topology=own) for s in found for own in own_domains(s.topology))]


def own_domains(name: str) -> list[str]:
    """Names under which bolts of a topology store, beside the topology's own."""
    topology = topology_class(_TOPOLOGIES / f"{name}.py")
    found = [getattr(spec.component_cls, "domain", name) for spec in topology.specs]
    return [own for own in dict.fromkeys(found) if own != name]


@cache
def own_domains_of_all() -> frozenset[str]:
    """The `own_domains` of all topologies."""
    return frozenset(own for kind in KINDS for own in own_domains(kind.topology))


def of_topic(settings: Settings, topic: str) -> Stream:
    """The stream that reads a topic. Raises SettingsError for an unknown topic."""
    for stream in every(settings):
        if topic in stream.topics:
            return stream
    known = ", ".join(all_topics(settings))
    raise SettingsError(f"No topology reads the topic {topic!r}. The topics are: {known}.")
