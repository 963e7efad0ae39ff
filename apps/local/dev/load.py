"""Topology classes by name, and what there is."""

from pathlib import Path
from typing import Any

from apps.build.topology_file import topology_class
from stormwatch.errors import SettingsError


def names(root: Path) -> list[str]:
    """The topologies of this project."""
    return sorted(path.stem for path in (root / "topologies").glob("*.py"))


def unknown(root: Path, name: str) -> SettingsError:
    """The error of a name that is none."""
    return SettingsError(
        f"There is no topologies/{name}.py. Choose one of: {', '.join(names(root))}."
    )


def topology(root: Path, name: str) -> Any:
    """The Topology class of topologies/NAME.py. Raises SettingsError if there is none."""
    path = root / "topologies" / f"{name}.py"
    if not path.is_file():
        raise unknown(root, name)
    found = topology_class(path)
    if found is None:
        raise SettingsError(f"{path} contains no Topology class. Add one: see docs/runner.md.")
    return found
