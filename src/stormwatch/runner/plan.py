"""A streamparse Topology class read into what is to be run: components, tasks, streams, edges."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from stormwatch.errors import StormwatchError

ACKER = "__acker"
MESSAGE_TIMEOUT_S = 30
"""Storm's default of topology.message.timeout.secs."""
_NO_KEYS = ("shuffle", "all", "none", "direct", "local_or_shuffle")


class TopologyNotRunnable(StormwatchError):
    """The runner cannot run it: something in it needs Java."""


@dataclass(frozen=True)
class Grouping:
    """How a stream is dealt to the tasks of a reader. `kind` is Storm's own word."""

    kind: str
    fields: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """As the handshake words it; Storm's own global grouping is one on no fields."""
        if self.kind in ("fields", "global"):
            return {"type": "FIELDS", "fields": list(self.fields)}
        return {"type": self.kind.upper()}


@dataclass(frozen=True)
class Output:
    """A declared stream."""

    fields: tuple[str, ...]
    direct: bool


@dataclass(frozen=True)
class Part:
    """One component and its tasks."""

    name: str
    component: type
    tasks: tuple[int, ...]
    config: dict[str, Any]
    outputs: dict[str, Output]
    inputs: dict[tuple[str, str], Grouping]  # (component, stream) ->

    @property
    def is_spout(self) -> bool:
        return hasattr(self.component, "next_tuple")


@dataclass(frozen=True)
class Plan:
    """All of a topology. `config` holds the topology's configuration as its components see it."""

    name: str
    parts: dict[str, Part]
    config: dict[str, Any]

    @cached_property
    def _owners(self) -> dict[int, Part]:
        return {task: part for part in self.parts.values() for task in part.tasks}

    def owner(self, task: int) -> Part:
        """The component of a task."""
        return self._owners[task]

    @property
    def components(self) -> dict[int, str]:
        """Task -> component, the acker's included."""
        own = {task: part.name for task, part in self._owners.items()}
        acker = next(n for n in range(1, len(own) + 2) if n not in own)
        return dict(sorted({**own, acker: ACKER}.items()))

    def hello(self, task: int, pid_dir: str) -> dict[str, Any]:
        """The handshake: configuration and context as Storm words them."""
        part = self.owner(task)
        return {
            "pidDir": pid_dir,
            "conf": {**_storm_defaults(), **self._own(part), **part.config},
            "context": {
                "taskid": task,
                "componentid": part.name,
                "task->component": {str(t): name for t, name in self.components.items()},
                "streams": list(part.outputs),
                "stream->outputfields": _fields(part),
                "stream->target->grouping": self._targets(part),
                "source->stream->fields": {c: _fields(self.parts[c]) for c, _ in part.inputs},
                "source->stream->grouping": _sources(part),
            },
        }

    def _own(self, part: Part) -> dict[str, Any]:
        """What Storm adds to the topology's configuration for a component."""
        own = {"storm.id": f"{self.name}-1-0", **self.config}
        if part.is_spout:
            ticks = own.get("topology.message.timeout.secs")
            own["topology.tick.tuple.freq.secs"] = ticks or MESSAGE_TIMEOUT_S
        return own

    def _targets(self, part: Part) -> dict[str, dict[str, Any]]:
        targets: dict[str, dict[str, Any]] = {}
        for reader in self.parts.values():
            for (component, stream), grouping in reader.inputs.items():
                if component == part.name:
                    targets.setdefault(stream, {})[reader.name] = grouping.told
        return targets


def _fields(part: Part) -> dict[str, tuple[str, ...]]:
    return {stream: output.fields for stream, output in part.outputs.items()}


def _sources(part: Part) -> dict[str, dict[str, Any]]:
    sources: dict[str, dict[str, Any]] = {}
    for (component, stream), grouping in part.inputs.items():
        sources.setdefault(component, {})[stream] = grouping.told
    return sources


@cache
def _storm_defaults() -> dict[str, Any]:
    """What a component of Storm 2.8.3 reads where neither cluster nor topology says otherwise."""
    defaults: dict[str, Any] = json.loads(Path(__file__).with_name("defaults.json").read_text())
    return defaults


def read(topology: Any, name: str, config: Mapping[str, Any] | None = None) -> Plan:
    """The plan of a Topology class; `config` goes over the class's own.

    Task numbers are Storm's: components by name, its acker among them, from 1. Raises
    TopologyNotRunnable for Java components and custom groupings.
    """
    specs = {spec.name: spec for spec in topology.specs}
    parts, task = {}, 1
    for part_name in sorted([*specs, ACKER]):
        if part_name == ACKER:
            task += 1
            continue
        spec = specs[part_name]
        if spec.component_object.shell is None:
            raise TopologyNotRunnable(
                f"{part_name} is written in Java, and the runner has no Java. "
                f"Run this topology with `sparse run -n {name}`."
            )
        own = json.loads(spec.config)
        par = next(iter(spec.par.values())) if isinstance(spec.par, dict) else spec.par
        many = int(own.get("topology.tasks", par))
        parts[part_name] = Part(
            part_name, spec.component_cls, tuple(range(task, task + many)), own,
            {s: Output(tuple(o.output_fields), bool(o.direct)) for s, o in spec.outputs.items()},
            {(i.componentId, i.streamId): _grouping(part_name, g) for i, g in spec.inputs.items()},
        )  # fmt: skip
        task += many
    return Plan(name, parts, {"topology.name": name, **topology.config, **(config or {})})


def _grouping(component: str, thrift: Any) -> Grouping:
    if thrift.fields is not None:
        return Grouping("fields", tuple(thrift.fields)) if thrift.fields else Grouping("global")
    for kind in _NO_KEYS:
        if getattr(thrift, kind) is not None:
            return Grouping(kind)
    raise TopologyNotRunnable(
        f"{component} is grouped by a Java class, and the runner has no Java. Use another grouping."
    )
