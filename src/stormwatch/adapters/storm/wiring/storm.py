"""Rules about what Storm 2.8.3 cannot do; each takes a topology's name and class."""

from collections.abc import Iterable, Iterator
from typing import Any

from stormwatch.adapters.storm.wiring.finding import Finding, error

MOST_ALIASES = 50
"""SnakeYAML's limit in Flux: aliases of lists and maps in one file."""


def direct_grouping(name: str, topology: Any) -> Iterable[Finding]:
    """SW109: a direct grouping of what a Python component emits."""
    java = {s.name for s in topology.specs if s.component_object.shell is None}
    for spec in topology.specs:
        for source, grouping in spec.inputs.items():
            if grouping.direct is not None and source.componentId not in java:
                yield error(
                    "SW109", f"{name}.{spec.name}",
                    f"reads {source.componentId} by direct grouping",
                    "a regular emit ends the worker (\"Cannot do regular emit to direct stream\"), "
                    "and so does a direct one of Python (ClassCastException: Integer to Long)",
                    "Grouping.fields(…) on a field that chooses the task",
                )  # fmt: skip


def too_many_aliases(name: str, topology: Any) -> Iterable[Finding]:
    """SW110: a Flux file with more shared lists than Storm's reader takes.

    `sparse run` writes the topology as YAML, where a list that several places share is an alias.
    """
    if any(s.component_object.serialized_java is not None for s in topology.specs):
        return  # Flux has no words for it
    written = {**topology.to_flux_dict(name), "config": topology.config}
    shared = sum(1 for _ in _aliases(written, set()))
    if shared > MOST_ALIASES:
        yield error(
            "SW110", name, f"shares lists and maps in {shared} places",
            "`sparse run` ends: Flux reads a file with at most "
            f"{MOST_ALIASES} (\"Number of aliases for non-scalar nodes exceeds\")",
            "in a class that many components use name the fields, outputs = [\"a\", \"b\"], not a "
            "Stream; make each Grouping where it is used; or make two topologies of it",
        )  # fmt: skip


def _aliases(value: Any, seen: set[int]) -> Iterator[Any]:
    """Lists and maps that are met again, each time: what a YAML writer makes an alias of."""
    if not isinstance(value, dict | list | tuple) or value == ():
        return
    if id(value) in seen:
        yield value
        return
    seen.add(id(value))
    for inner in value.values() if isinstance(value, dict) else value:
        yield from _aliases(inner, seen)
