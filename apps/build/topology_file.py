"""The Topology class of a file, loaded as streamparse does, without its name in sys.modules."""

import importlib.util
import sys
from pathlib import Path
from typing import Any


def topology_class(path: Path) -> Any:
    """The first Topology subclass of topologies/NAME.py, None if it has none.

    Settings are read where the process stands. Raises what the file raises.
    """
    from streamparse import Topology

    source = str(path.resolve().parents[1] / "src")
    if source not in sys.path:
        sys.path.append(source)
    spec = importlib.util.spec_from_file_location(f"topologies.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Topology) and found is not Topology:
            return found
    return None
