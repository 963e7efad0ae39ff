"""One finding."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """An error stops `run`, `dev` and `sparse run | submit`; a warning is printed."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """What, where, what would happen at run time, and how to mend it. Codes are stable."""

    code: str
    severity: Severity
    where: str  # topology.component, or a file with its line
    what: str
    effect: str
    mend: str

    def __str__(self) -> str:
        return (
            f"{self.severity} {self.code} {self.where}: {self.what}\n"
            f"  at run time: {self.effect}\n  to fix it: {self.mend}"
        )


def error(code: str, where: str, what: str, effect: str, mend: str) -> Finding:
    """A finding that stops the start."""
    return Finding(code, Severity.ERROR, where, what, effect, mend)


def warning(code: str, where: str, what: str, effect: str, mend: str) -> Finding:
    """A finding that is printed."""
    return Finding(code, Severity.WARNING, where, what, effect, mend)
