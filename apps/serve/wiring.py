"""A topology's wiring as the API tells it."""

from pathlib import Path
from typing import Any

from streamparse import Spout

from apps.build.draw import grouping_name, tasks_of
from apps.build.topology_file import topology_class
from apps.serve.answers import Component, Topology


def wiring(root: Path, name: str) -> Topology:
    """Of topologies/NAME.py. Raises StormwatchError."""
    specs: list[Any] = topology_class(root / "topologies" / f"{name}.py").specs
    return Topology(name, [
        Component(
            spec.name, "spout" if issubclass(spec.component_cls, Spout) else "bolt",
            tasks_of(spec.par),
            {_stream(source): grouping_name(grouping) for source, grouping in spec.inputs.items()}
            if spec.inputs else {},
        )
        for spec in specs
    ])  # fmt: skip


def _stream(source: Any) -> str:
    default = source.streamId == "default"
    return str(source.componentId) if default else f"{source.componentId}:{source.streamId}"
