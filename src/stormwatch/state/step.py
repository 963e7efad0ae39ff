"""One link of a chain of steps, as a topology chains or spreads them: score, then store.

load missing states -> decide on copies -> write decisions + ledger -> write states -> alerts
└────────────── ScoreStep ───────────┘    └──────────────── StoreStep ───────────────────┘
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Protocol

from stormwatch.records import Fragment

DECISIONS = "decisions"
"""The stream of what is decided and committed (`records.Decided`), for whoever takes it."""


class Outcome(Enum):
    """What became of a fragment after a step worked on it."""

    DONE = auto()  # every step behind it succeeded
    FAILED = auto()  # one behind it (or itself) failed: the fragment comes again
    HANDED_ON = auto()  # it went to another process: the partition's next fragment will tell


class Step(Protocol):
    """One link of a chain: takes a fragment's payload and makes the next link's."""

    commits: bool
    """Whether the fragment is done when this step has worked on it. What it returns then tells of
    that, on the stream DECISIONS; of a step that does not it is what remains to be done."""

    def work_all(self, batches: Sequence[tuple[Fragment, Any]]) -> list[Any]:
        """The next step's payload of each, None after the last. No partition is there twice.

        Raises InfrastructureError: all are to be tried again.
        """

    def finish(self, fragment: Fragment, outcome: Outcome) -> None:
        """Told once for each batch worked on, after the links behind it."""
