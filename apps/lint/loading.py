"""The Topology class of a file, loaded as streamparse does, without its name in sys.modules."""

import contextlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from streamparse import Topology

from stormwatch.errors import StormwatchError


def load(path: Path) -> Any:
    """The first Topology subclass in the file. Raises StormwatchError; what the file raises."""
    root = path.resolve().parents[1]
    spec = importlib.util.spec_from_file_location(f"_linted_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.py"))) or "none"
        raise StormwatchError(f"There is no {path}. Topologies there are: {known}.")
    module = importlib.util.module_from_spec(spec)
    if str(root / "src") not in sys.path:
        sys.path.append(str(root / "src"))
    with contextlib.chdir(root):  # the file reads the settings of where it is
        spec.loader.exec_module(module)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Topology) and value is not Topology:
            return value
    raise StormwatchError(
        f"{path} has no Topology class. Write one: class {path.stem.capitalize()}(Topology): …"
    )
