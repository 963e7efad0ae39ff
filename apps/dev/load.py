"""Topology classes by name, and what there is."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

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
    from streamparse import Topology

    path = root / "topologies" / f"{name}.py"
    if not path.is_file():
        raise unknown(root, name)
    source = str(root / "src")
    if source not in sys.path:
        sys.path.append(source)
    spec = importlib.util.spec_from_file_location(f"topologies.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Topology) and found is not Topology:
            return found
    raise SettingsError(f"{path} holds no Topology class. Add one: see docs/runner.md.")
