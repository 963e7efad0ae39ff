"""Which names a component can have: each refusal says why, and what to take instead."""

import ast
import importlib.util
import keyword
import re
import sys
from pathlib import Path

from stormwatch.errors import StormwatchError

LONGEST = 24
_PACKAGES = {"bolts", "spouts", "stormwatch", "apps", "topologies", "tests", "resources"}
_TOPOLOGY_ATTRIBUTES = {
    "config", "read", "write", "specs", "thrift_bolts", "thrift_spouts", "thrift_topology", "mro",
}  # fmt: skip
"""Of streamparse.Topology: a component of such a name would replace it."""
_FILE = "A script run in its folder would import this file in that one's place, and break"
_SHADOWS = {
    "topology": "streamparse puts topologies/ at the end of sys.path, so that module would be "
    "imported instead, and no Topology found",
    "bolt": _FILE,
    "spout": _FILE,
}


class NameRefused(StormwatchError):
    """The name would clash, or break on the workers."""


def check(kind: str, name: str, root: Path, topology: str | None = None) -> None:
    """Raises NameRefused with the reason and a suggestion."""
    reason = (
        _shape(name)
        or _taken(kind, name)
        or _module(kind, name, root)
        or _in_topology(name, root, topology)
    )
    if reason:
        raise NameRefused(
            f"A {kind} cannot be named {name!r}: {reason}. "
            f"Try: ./stormwatch new {kind} {_suggestion(kind, name)}"
        )


def class_name(name: str) -> str:
    """`large_payments` -> `LargePayments`."""
    return "".join(part.capitalize() for part in name.split("_"))


def _shape(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        return (
            "workers import it as a Python module and Storm uses it as an id, so it has to be "
            "lower-case words joined by _, the first beginning with a letter"
        )
    if len(name) > LONGEST:
        return f"Storm makes file names and ids of it; it may have {LONGEST} characters"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "it is a Python keyword, so no module or attribute can have this name"
    return ""


def _taken(kind: str, name: str) -> str:
    if name in _PACKAGES:
        return "a package of this project has this name"
    if name.startswith("stormwatch"):
        return "names that begin with stormwatch belong to the core package"
    if name in sys.stdlib_module_names:
        return f"a module of Python's standard library has this name. {_SHADOWS[kind]}"
    if _installed(name):
        return f"an installed package has this name. {_SHADOWS[kind]}"
    return ""


def _installed(name: str) -> bool:
    found = importlib.util.find_spec(name)
    return "-packages" in str(found and found.origin)


def _module(kind: str, name: str, root: Path) -> str:
    for path in (
        root / "src" / "bolts" / f"{name}.py",
        root / "src" / "spouts" / f"{name}.py",
        root / "topologies" / f"{name}.py",
        root / "tests" / "components" / f"test_{name}.py",
        root / "tests" / "topologies" / f"test_{name}_topology.py",
    ):
        if path.exists() and (kind == "topology" or path.parent.name != "topologies"):
            return f"{path.relative_to(root)} exists already"
    if (root / "src" / "stormwatch" / "domains" / name).is_dir() and kind == "topology":
        return f"src/stormwatch/domains/{name} exists already: the domain of that name"
    return ""


def _in_topology(name: str, root: Path, topology: str | None) -> str:
    if topology is None:
        return ""
    if name in _TOPOLOGY_ATTRIBUTES:
        return f"a Topology class has an attribute {name!r} that Storm's configuration is read from"
    path = root / "topologies" / f"{topology}.py"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.py")))
        raise NameRefused(f"There is no topology {topology!r}. Choose one of: {known}.")
    used = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    if name in used:
        return f"topologies/{topology}.py already uses the name for something else"
    return ""


def _suggestion(kind: str, name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[: LONGEST - 7]
    plain = plain.lstrip("0123456789_").rstrip("_") or "my"
    return plain if plain != name else f"{plain}_{'events' if kind == 'spout' else 'watch'}"
