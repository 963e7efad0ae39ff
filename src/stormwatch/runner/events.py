"""What a run reports to its watcher as it happens."""

from typing import Any, NamedTuple


class Logged(NamedTuple):
    """A component's log line or error. Level: 0 trace, 1 debug, 2 info, 3 warning, 4 error."""

    component: str
    task: int
    level: int
    text: str


class Died(NamedTuple):
    """A component ended by itself, or was made to. `again` tells whether it is started again."""

    component: str
    task: int
    why: str
    again: bool


class Settled(NamedTuple):
    """A spout's tuple came to its end. `how`: acked, failed or timed out."""

    component: str
    task: int
    id: Any
    how: str
    seconds: float  # since it was emitted


class Faulted(NamedTuple):
    """A planned fault took place."""

    text: str


Event = Logged | Died | Settled | Faulted
