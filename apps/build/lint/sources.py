"""Rules about the source of components; each takes root, a topology's name and class."""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from apps.build.lint import requirements
from apps.data.kinds import BY_TOPOLOGY
from stormwatch import settings
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.wiring import Finding, error, warning
from stormwatch.errors import ModelError, SettingsError

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
    for path, classes in _files(root, topology).items():
        module = sys.modules[classes[0].__module__]
        for node, inside, owner in _walk(ast.parse(path.read_text())):
            if not _writes_stdout(node):
                continue
            owners = [getattr(module, owner)] if owner else classes
            safe = inside and all(issubclass(cls, StrictComponent) for cls in owners)
            kind = warning if safe else error
            yield kind(
                "SW106", f"{path.relative_to(root)}:{node.lineno}", "writes to stdout",
                "it becomes a log line, without level or place" if safe
                else "stdout is the pipe to Storm: the protocol breaks and the worker ends",
                "self.logger.info(…)",
            )  # fmt: skip


def direct_emits(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW109: an emit to a task of the component's choice."""
    for path in _files(root, topology):
        for node, _, _ in _walk(ast.parse(path.read_text())):
            if _emits_direct(node):
                yield error(
                    "SW109", f"{path.relative_to(root)}:{node.lineno}", "emits to one task",
                    "Storm 2.8.3 cannot read a direct emit of Python, and the worker ends "
                    "(ClassCastException: Integer to Long)",
                    "emit a field that chooses the task, and read it by Grouping.fields(…)",
                )  # fmt: skip


def assigned_twice(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW111: two components of one name in a topology's class: Python keeps the last."""
    path = root / "topologies" / f"{name}.py"
    for owner in ast.parse(path.read_text()).body:
        if not isinstance(owner, ast.ClassDef) or owner.name != topology.__name__:
            continue
        seen: dict[str, int] = {}
        for node in filter(_is_spec, owner.body):
            target = ast.unparse(node.targets[0])  # type: ignore[attr-defined]
            if target in seen:
                yield error(
                    "SW111", f"topologies/{name}.py:{node.lineno}",
                    f"names a second component {target!r}; the first is in line {seen[target]}",
                    "the first is never started",
                    "give it a name of its own",
                )  # fmt: skip
            seen[target] = node.lineno


def shared_states(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW112: a bolt's states and decisions under a name that another one writes under."""
    owners = {path.stem: f"the topology {path.stem}" for path in (root / "topologies").glob("*.py")}
    for domain, bolt in _domains(root):  # of whichever topology: the tables are the same
        owners.setdefault(domain, bolt)
    bolts = {spec.component_cls for spec in topology.specs}
    for cls in sorted(bolts, key=lambda each: str(each.__name__)):
        if not hasattr(cls, "make_judge"):  # of a StatefulBolt; other projects may have none
            continue
        owner = owners.setdefault(cls.domain, cls.__name__)
        if owner != cls.__name__:
            yield error(
                "SW112", str(Path(inspect.getfile(cls)).relative_to(root)),
                f"{cls.__name__} keeps its states under domain = {cls.domain!r}, as {owner} does",
                "each overwrites the other's states and decisions",
                f"a domain of its own: domain = {cls.__name__.lower()!r}",
            )  # fmt: skip


def heavy_imports(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW107: a heavy package imported when the component's module is."""
    for path in _files(root, topology):
        for node, inside, _ in _walk(ast.parse(path.read_text())):
            for package in () if inside else requirements.roots(node):
                if package in HEAVY:
                    yield warning(
                        "SW107", f"{path.relative_to(root)}:{node.lineno}",
                        f"imports {package} at module level ({HEAVY[package]})",
                        "each process of the component pays it before its first heartbeat, and "
                        "so does `sparse submit` on the operator's machine",
                        "import it inside the function that uses it, or in a module that "
                        "stormwatch.adapters.threads.background.Lazy loads",
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


def unusable_files(root: Path, name: str, topology: Any) -> Iterable[Finding]:
    """SW113: rules or a model that the settings name and the domain cannot use."""
    kind = BY_TOPOLOGY.get(name)
    if kind is None or not kind.domain:
        return
    try:
        kind.make(settings.load(root=root))
    except (SettingsError, ModelError) as problem:
        yield error(
            "SW113", f"topology {name}", str(problem),
            "the deciding bolt ends with this error at every start",
            "fix the file, or name another: fraud.rules, fraud.rates, "
            "fraud.model, maintenance.model",
        )  # fmt: skip


def _domains(root: Path) -> Iterator[tuple[str, str]]:
    """Each `domain = "…"` of a class that src/bolts defines a judge in, and the class's name."""
    for path in sorted((root / "src" / "bolts").glob("*.py")):
        for owner in ast.parse(path.read_text()).body:
            if not isinstance(owner, ast.ClassDef):
                continue
            names = {ast.unparse(target): node.value for node in owner.body
                     if isinstance(node, ast.Assign) for target in node.targets}  # fmt: skip
            judges = {node.name for node in owner.body if isinstance(node, ast.FunctionDef)}
            domain = names.get("domain")
            if isinstance(domain, ast.Constant) and {"judge", "make_judge"} & (judges | {*names}):
                yield str(domain.value), owner.name


def _modules(topology: Any) -> set[str]:
    return {spec.component_cls.__module__ for spec in topology.specs}


def _files(root: Path, topology: Any) -> dict[Path, list[type]]:
    """Files under src/ that components and their bases are in, with those classes."""
    found: dict[Path, list[type]] = {}
    for cls in dict.fromkeys(
        base for spec in topology.specs for base in inspect.getmro(spec.component_cls)
    ):
        if cls.__module__.split(".")[0] in ("bolts", "spouts"):
            path = Path(inspect.getfile(cls)).resolve()
            if path.is_relative_to(root.resolve()):
                found.setdefault(root / path.relative_to(root.resolve()), []).append(cls)
    return found


def _walk(node: ast.AST, inside: bool = False, owner: str = "") -> Iterator[tuple[Any, bool, str]]:
    """Every node, whether it is inside a function, and the outermost class that it is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        of = child.name if isinstance(child, ast.ClassDef) and not owner else owner
        yield child, inside, of
        yield from _walk(child, inside or isinstance(child, ast.FunctionDef | ast.Lambda), of)


def _emits_direct(node: ast.AST) -> bool:
    """`x.emit(…, direct_task=…)`, also as the fourth argument, other than None."""
    called = getattr(node, "func", None)
    if not isinstance(node, ast.Call) or getattr(called, "attr", "") not in ("emit", "emit_many"):
        return False
    given = [*node.args[3:4], *(word.value for word in node.keywords if word.arg == "direct_task")]
    return any(ast.unparse(value) != "None" for value in given)


def _is_spec(node: ast.AST) -> bool:
    """`name = Component.spec(…)`."""
    called = getattr(getattr(node, "value", None), "func", None)
    return isinstance(node, ast.Assign) and getattr(called, "attr", "") == "spec"


def _writes_stdout(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    elsewhere = any(word.arg == "file" for word in node.keywords)
    return (called == "print" and not elsewhere) or called.startswith("sys.stdout.")
