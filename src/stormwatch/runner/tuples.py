"""Tuples between tasks, and what Storm holds of a task that runs."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from stormwatch.runner.plan import Part


@dataclass(slots=True)
class Tuple:
    """A tuple on its way to one task. `ids`: root -> edge id, Storm's MessageId."""

    component: str
    stream: str
    task: int
    values: list[Any]
    ids: dict[int, int] = field(default_factory=dict)
    emitted: int = 0  # XOR of the edge ids of what was anchored to it

    def message(self, id: str) -> dict[str, Any]:  # noqa: A002
        """As a bolt reads it."""
        return {
            "id": id, "comp": self.component, "stream": self.stream, "task": self.task,
            "tuple": self.values,
        }  # fmt: skip


@dataclass(slots=True)
class BoltTask:
    """A bolt's task: what waits for it and what it was given."""

    task: int
    part: Part
    waiting: deque[Tuple] = field(default_factory=deque)
    given: dict[str, Tuple] = field(default_factory=dict)
    stalled_until: float = 0.0
    dies: bool = False  # a fault: what it does next is its last, and is not heard
    tick: int = 0  # rises at each start: ticks of the instance before are void


@dataclass(slots=True)
class SpoutTask:
    """A spout's task: what it is to be told, and whether it is at work."""

    task: int
    part: Part
    told: deque[dict[str, Any]] = field(default_factory=deque)
    busy: int = 0  # commands without their `sync` yet
    active: bool = False
    emitted: bool = False
    due: float = 0.0  # of the next `next`
    stalled_until: float = 0.0
    dies: bool = False
