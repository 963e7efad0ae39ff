"""Rules about the source of components; each takes root, a topology's name and class."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from apps.lint import requirements
from apps.lint.finding import Finding, error, warning
from stormwatch.adapters.multilang import StrictComponent

HEAVY = {
    "numpy": "0.11 s, 16 MB", "scipy": "0.12 s, 18 MB", "lightgbm": "0.31 s, 47 MB",
    "cassandra": "0.18 s, 36 MB", "confluent_kafka": "0.05 s, 13 MB", "kafka": "0.13 s, 19 MB",
    "requests": "0.09 s, 19 MB", "pandas": "about 0.5 s, 60 MB", "sklearn": "about 1 s, 100 MB",
    "torch": "seconds, 200 MB", "tensorflow": "seconds, 300 MB", "xgboost": "about 0.5 s, 80 MB",
    "matplotlib": "about 0.3 s, 40 MB",
}  # fmt: skip
"""Package -> what importing it cost: CPU time and resident memory (Python 3.11, 2 cores)."""


def prints(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW106: print(), or a write to sys.stdout, in a component."""
    for path, strict in _files(root, topology):
        for node, inside in _walk(_parsed(path)):
            if not _writes_stdout(node):
                continue
            safe = strict and inside
            kind = warning if safe else error
            yield kind(
                "SW106", f"{path.relative_to(root)}:{node.lineno}", "writes to stdout",
                "it becomes a log line, without level or place" if safe
                else "stdout is the pipe to Storm: the protocol breaks and the worker ends",
                "self.logger.info(…)",
            )  # fmt: skip


def heavy_imports(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW107: a heavy package imported when the component's module is."""
    for path, _ in _files(root, topology):
        for node, inside in _walk(_parsed(path)):
            for package in () if inside else requirements.roots(node):
                if package in HEAVY:
                    yield warning(
                        "SW107", f"{path.relative_to(root)}:{node.lineno}",
                        f"imports {package} at module level ({HEAVY[package]})",
                        "each process of the component pays it before its first heartbeat, and "
                        "so does `sparse submit` on the operator's machine",
                        "import it inside the function that uses it, or in a module that "
                        "stormwatch.adapters.lazy.Lazy loads",
                    )  # fmt: skip


def missing_requirements(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW108: a package that components import and virtualenvs/NAME.txt does not bring."""
    listing = root / "virtualenvs" / f"{name}.txt"
    if not listing.exists():
        yield warning(
            "SW108", f"virtualenvs/{name}.txt", "does not exist",
            "`sparse submit` cannot build the workers' virtualenv",
            "cp virtualenvs/fraud.txt " + f"virtualenvs/{name}.txt",
        )  # fmt: skip
        return
    brought = requirements.brought(listing)
    for package, place in sorted(requirements.imported(root, _modules(topology)).items()):
        names = requirements.distributions(package)
        if not names & brought:
            yield error(
                "SW108", f"virtualenvs/{name}.txt",
                f"lacks {min(names)}, which {place} imports",
                "on a worker whose virtualenv is built from it the component ends with "
                "ModuleNotFoundError",
                f"add a line {min(names)} with its version",
            )  # fmt: skip


def _modules(topology: Any) -> set[str]:
    return {spec.component_cls.__module__ for spec in topology.specs}


def _files(root: Path, topology: Any) -> dict[tuple[Path, bool], None]:
    """Files of the components and their bases under src/, with whether print is caught there."""
    found: dict[tuple[Path, bool], None] = {}
    for spec in topology.specs:
        cls = spec.component_cls
        for base in inspect.getmro(cls):
            if base.__module__.split(".")[0] not in ("bolts", "spouts"):
                continue
            path = Path(inspect.getfile(base)).resolve()
            if path.is_relative_to(root.resolve()):
                found[root / path.relative_to(root.resolve()), issubclass(cls, StrictComponent)] = (
                    None
                )
    return found


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _walk(node: ast.AST, inside: bool = False) -> Iterator[tuple[Any, bool]]:
    """Every node, and whether it is inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child, inside
        yield from _walk(child, inside or isinstance(child, ast.FunctionDef | ast.Lambda))


def _writes_stdout(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    elsewhere = any(word.arg == "file" for word in node.keywords)
    return (called == "print" and not elsewhere) or called.startswith("sys.stdout.")
