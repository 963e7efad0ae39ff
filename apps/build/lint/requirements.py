"""Which packages components import, and which a requirements file brings."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where a statement, an `except` or a `case` has statements."""
_OURS = ("bolts", "spouts", "stormwatch")


def roots(node: ast.AST) -> set[str]:
    """Top-level packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {node.module.split(".")[0]}
    return set()


def imported(root: Path, modules: set[str]) -> dict[str, str]:
    """Package -> a file that imports it, over all that the modules reach in src/."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = sorted(modules)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _file(root, module)
        if path is None:
            continue
        statements = _imports(path, path.stat().st_mtime_ns)
        left_out = {package for node, is_out in statements if is_out for package in roots(node)}
        for node, is_out in statements:
            for package in roots(node):
                if package in _OURS:
                    waiting += [] if is_out else _names(node)
                elif package not in {*sys.stdlib_module_names, *left_out}:
                    found.setdefault(package, str(path.relative_to(root)))
    return found


@cache
def _imports(path: Path, changed: int) -> list[tuple[ast.AST, bool]]:
    """Its imports as `_statements` gives them. Topologies share most files: each is read once."""
    return [
        (node, is_out)
        for node, is_out in _statements(ast.parse(path.read_text()), False)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def _statements(node: ast.AST, is_left_out: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Statements within a node, and whether a worker need not have what they import: under
    `if TYPE_CHECKING:`, or where an ImportError is told in words of its own, as of an extra: that
    it is then wherever the file imports it. Expressions, nine tenths of a tree, hold no imports: a
    start need not walk them."""
    for block in _BLOCKS:
        inside = is_left_out or (block == "body" and (_is_typing(node) or _may_fail(node)))
        for inner in getattr(node, block, ()):
            yield inner, inside
            yield from _statements(inner, inside)


def _may_fail(node: ast.AST) -> bool:
    return isinstance(node, ast.Try) and any(
        isinstance(handler.type, ast.Name) and handler.type.id == "ImportError"
        for handler in node.handlers
    )


def _is_typing(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    test = node.test
    return getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING"


def brought(listing: Path) -> set[str]:
    """Distributions that a requirements file installs, with what they require themselves."""
    waiting = [_requirement(line) for line in listing.read_text().splitlines()]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name and name not in found:
            found.add(name)
            waiting += _required(name)
    return found


def distributions(package: str) -> set[str]:
    """Distributions that hold a package; itself where it is not installed."""
    return {_normal(name) for name in _holders().get(package, [package])}


@cache
def _holders() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


@cache
def _required(name: str) -> list[str]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    return [_requirement(line) for line in lines if "extra ==" not in line]


def _requirement(line: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
    return _normal(match[0]) if match else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(node: ast.AST) -> list[str]:
    """Modules that an import statement may mean: `from a import b` is a or a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]


def _file(root: Path, module: str) -> Path | None:
    place = root / "src" / Path(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.exists():
            return path
    return None
