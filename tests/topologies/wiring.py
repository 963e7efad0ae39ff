"""The edges of a topology, as Storm is told them."""

import importlib.util
from pathlib import Path
from typing import Any

TOPOLOGIES = Path(__file__).parents[2] / "topologies"

NAMES = {"fraud": ("Fraud", "transactions"), "maintenance": ("Maintenance", "readings")}

Edge = tuple[str, str, str]


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"wiring_{name}", TOPOLOGIES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, NAMES[name][0])


def edges(topology: Any) -> dict[Edge, str]:
    """(from, stream, to) -> how it is grouped."""
    return {
        (source.componentId, source.streamId, spec.name): (
            f"fields {','.join(grouping.fields)}" if grouping.fields else "shuffle"
        )
        for spec in topology.specs
        for source, grouping in spec.inputs.items()
    }
