"""Applies every rule to topologies."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from apps.lint import sources, wiring
from apps.lint.finding import Finding, Severity, error
from apps.lint.loading import load
from stormwatch.errors import StormwatchError

WIRING: tuple[Callable[[str, Any], Iterable[Finding]], ...] = (
    wiring.unknown_field,
    wiring.state_key,
    wiring.idle_spouts,
    wiring.flush_interval,
    wiring.unread_outputs,
)
SOURCES: tuple[Callable[[Path, str, Any], Iterable[Finding]], ...] = (
    sources.prints,
    sources.heavy_imports,
    sources.missing_requirements,
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
            f"Mend them; see them again with: ./stormwatch lint {' '.join(names)}"
        )


def _one(root: Path, name: str) -> Iterable[Finding]:
    try:
        topology = load(root / "topologies" / f"{name}.py")
    except StormwatchError:
        raise
    except (ValueError, KeyError) as problem:
        yield wiring.refused(name, problem)
        return
    except Exception as problem:  # whatever the file does: it is the user's code
        yield error(
            "SW100", f"topologies/{name}.py", f"cannot be read: {problem!r}",
            "streamparse fails with a traceback", f"python -c 'import {name}' in topologies/",
        )  # fmt: skip
        return
    for rule in WIRING:
        yield from rule(name, topology)
    for read in SOURCES:
        yield from read(root, name, topology)
