"""Applies every rule to topologies."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any

from apps.build.lint import sources
from apps.build.lint.loading import load
from stormwatch.adapters.storm.wiring import (
    WIRING,
    Finding,
    Severity,
    TopologyRefused,
    error,
    refused,
)
from stormwatch.errors import StormwatchError

SOURCES: tuple[Callable[[Path, str, Any], Iterable[Finding]], ...] = (
    sources.prints,
    sources.direct_emits,
    sources.assigned_twice,
    sources.shared_states,
    sources.heavy_imports,
    sources.missing_requirements,
    sources.unusable_files,
)


def lint(root: Path, names: Sequence[str] | None = None) -> list[Finding]:
    """Findings of the topologies, of all in `topologies/` by default; errors come first.

    Raises StormwatchError where there is no such topology.
    """
    chosen = names or sorted(path.stem for path in (root / "topologies").glob("*.py"))
    found = [finding for name in chosen for finding in _one(root, name)]
    unique = dict.fromkeys(found)  # topologies share components
    return sorted(unique, key=lambda f: (f.severity, f.code, f.where))


def check(root: Path, names: Sequence[str], tell: Callable[[str], None]) -> None:
    """Tell every finding. Raises StormwatchError if one is an error."""
    found = lint(root, names)
    for finding in found:
        tell(str(finding))
    errors = sum(finding.severity is Severity.ERROR for finding in found)
    if errors:
        raise StormwatchError(
            f"{errors} error(s) in topology {', '.join(names)}: not started. "
            f"Fix them; to list them again run: ./stormwatch lint {' '.join(names)}"
        )


def _one(root: Path, name: str) -> Iterable[Finding]:
    try:
        topology = load(root / "topologies" / f"{name}.py")
    except TopologyRefused as problem:
        yield from problem.findings
        return
    except StormwatchError:
        raise
    except (ValueError, KeyError) as problem:
        yield refused(name, problem)
        return
    except Exception as problem:  # whatever the file does: it is the user's code
        yield error(
            "SW100", _place(root, problem) or f"topologies/{name}.py",
            f"cannot be read: {problem!r}", "streamparse fails with a traceback",
            f"fix the line; traceback: cd topologies && PYTHONPATH=../src python {name}.py",
        )  # fmt: skip
        return
    for rule in WIRING:
        yield from rule(name, topology)
    for read in SOURCES:
        yield from read(root, name, topology)


def _place(root: Path, problem: Exception) -> str:
    """The innermost line of the project that raised; empty where none did."""
    if isinstance(problem, SyntaxError) and problem.filename:
        lines = [(problem.filename, problem.lineno or 1)]
    else:
        frames = walk_tb(problem.__traceback__)
        lines = [(frame.f_code.co_filename, line) for frame, line in frames]
    whole = root.resolve()
    for file, line in reversed(lines):
        path = Path(file)
        if any(path.is_relative_to(whole / folder) for folder in ("src", "topologies")):
            return f"{path.relative_to(whole)}:{line}"
    return ""
