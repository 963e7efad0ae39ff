"""Faults planned for a run: what goes wrong, where, and at the how-manieth time.

Faults([Fault(Point.ACK, "parse", 3, Act.DROP)])      the third ack of the bolt parse is lost
Faults.seeded(7, plan, count=5, within=200)           five, drawn from seed 7
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from stormwatch.runner.plan import Plan


class Point(StrEnum):
    """Where a message can be met."""

    TUPLE = "tuple"  # on its way to a bolt
    ACK = "ack"  # of a bolt, on its way to the acker
    TOLD = "told"  # ack or fail on its way to a spout


class Act(StrEnum):
    """What happens to it."""

    DROP = "drop"
    DELAY = "delay"  # by `seconds`
    DUPLICATE = "duplicate"
    REORDER = "reorder"  # a tuple, ahead of those that wait for the same task
    CRASH = "crash"  # the component dies before it sees the message
    CRASH_AFTER = "crash_after"  # the component handles the message; all it says then is lost
    STALL = "stall"  # the component gets nothing for `seconds`
    TIMEOUT = "timeout"  # everything in flight times out


FITTING = {
    Point.TUPLE: tuple(Act),
    Point.ACK: (Act.DROP, Act.DELAY, Act.DUPLICATE, Act.CRASH, Act.TIMEOUT),
    Point.TOLD: (Act.DROP, Act.DELAY, Act.DUPLICATE, Act.CRASH, Act.TIMEOUT),
}
"""The acts that make sense at a point."""


@dataclass(frozen=True)
class Fault:
    """The `at`-th message (from 1) at `point` of `component` is hit by `act`.

    Raises ValueError for an act that makes no sense there.
    """

    point: Point
    component: str
    at: int
    act: Act
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.act not in FITTING[self.point]:
            raise ValueError(
                f"{self.act} does not fit {self.point}: choose one of "
                f"{', '.join(FITTING[self.point])}."
            )

    def __str__(self) -> str:
        return f"{self.act} at {self.point} {self.at} of {self.component}"


class Faults:
    """Faults of one run; each happens once. `happened` lists them as they did."""

    def __init__(self, planned: Iterable[Fault] = ()) -> None:
        self._planned = {(f.point, f.component, f.at): f for f in planned}
        self._met: Counter[tuple[Point, str]] = Counter()
        self.happened: list[Fault] = []

    @classmethod
    def seeded(
        cls, seed: int, plan: Plan, count: int, within: int, acts: Sequence[Act] = tuple(Act)
    ) -> "Faults":
        """`count` faults at moments up to the `within`-th message of their component."""
        random = Random(seed)
        places = [
            (Point.TOLD, p.name) if p.is_spout else (point, p.name)
            for p in plan.parts.values()
            for point in (Point.TUPLE, Point.ACK)
        ]
        made = []
        for _ in range(count):
            point, name = random.choice(places)
            act = random.choice([a for a in FITTING[point] if a in acts])
            seconds = random.choice((0.05, 1.0, 10.0))
            made.append(Fault(point, name, random.randint(1, within), act, seconds))
        return cls(made)

    @property
    def left(self) -> int:
        """Planned and not met yet."""
        return len(self._planned)

    def meet(self, point: Point, component: str) -> Fault | None:
        """A message is here: the fault that hits it."""
        if not self._planned:
            return None
        self._met[point, component] += 1
        fault = self._planned.pop((point, component, self._met[point, component]), None)
        if fault is not None:
            self.happened.append(fault)
        return fault
