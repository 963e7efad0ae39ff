"""Stormwatch: event streams into decisions. What the author of a bolt imports; all else is inside.

The rooms are named by a record's life: `ingest` reads the log, `parsing` says what a record is,
`state` remembers and decides once, `dead_letters` keeps what is not decided, `ledger` proves it.
See docs/architecture.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stormwatch.codec import BATCH_FIELDS, RECORDS, Parsed
    from stormwatch.errors import InfrastructureError, StormwatchError
    from stormwatch.records import Decided, Decision, EndState, Fragment, Reason, Record, Rejection
    from stormwatch.state.judge import Verdict

__version__ = "0.1.0"

__all__ = [
    "BATCH_FIELDS",
    "RECORDS",
    "Decided",
    "Decision",
    "EndState",
    "Fragment",
    "InfrastructureError",
    "Parsed",
    "Reason",
    "Record",
    "Rejection",
    "StormwatchError",
    "Verdict",
]
_MODULES = ("errors", "records", "codec", "state.judge")


def __getattr__(name: str) -> Any:
    """Imported when asked for: what needs one of them does not wait for all."""
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{each}" for each in _MODULES)):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
