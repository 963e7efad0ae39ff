"""The Topology class that is linted."""

import contextlib
from pathlib import Path
from typing import Any

from apps.build.topology_file import topology_class
from stormwatch.errors import StormwatchError


def load(path: Path) -> Any:
    """The first Topology subclass in the file. Raises StormwatchError; what the file raises."""
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.py"))) or "none"
        raise StormwatchError(f"There is no {path}. Topologies there are: {known}.")
    whole = path.resolve()
    with contextlib.chdir(whole.parents[1]):  # the file reads the settings of where it is
        found = topology_class(whole)
    if found is None:
        raise StormwatchError(
            f"{path} has no Topology class. Write one: class {path.stem.capitalize()}(Topology): …"
        )
    return found
