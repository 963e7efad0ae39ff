"""Spouts and bolts for tests of the runner, and runs of a topology in simulated time."""

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar

from streamparse import Bolt, Spout

from stormwatch.adapters.clock import simulated
from stormwatch.runner import plan as plans
from stormwatch.runner.clock import SimulatedClock
from stormwatch.runner.engine import Engine, Rules
from stormwatch.runner.events import Event
from stormwatch.runner.faults import Fault, Faults
from stormwatch.runner.threads import Threads

Seen = list[tuple[Any, ...]]
FAST = {
    "topology.message.timeout.secs": 5,
    "topology.sleep.spout.wait.strategy.time.ms": 100,  # idle time passes in few steps
}


class Numbers(Spout):
    """1 to `limit`; what failed comes again, first."""

    outputs: ClassVar = ["n"]
    limit: ClassVar[int] = 10
    seen: ClassVar[Seen] = []

    def initialize(self, conf: dict[str, Any], context: dict[str, Any]) -> None:
        self.todo = list(range(1, self.limit + 1))

    def next_tuple(self) -> None:
        if self.todo:
            n = self.todo.pop(0)
            self.emit([n], tup_id=str(n))

    def ack(self, tup_id: str) -> None:
        self.seen.append(("acked", tup_id))

    def fail(self, tup_id: str) -> None:
        self.seen.append(("failed", tup_id))
        self.todo.insert(0, int(tup_id))


class Collect(Bolt):
    """Writes down what comes; fails each multiple of 5 once; dies of 13."""

    auto_ack = False
    outputs: ClassVar = ["n"]
    seen: ClassVar[Seen] = []
    failed: ClassVar[set[int]] = set()

    def process(self, tup: Any) -> None:
        n = tup.values.n
        self.seen.append(("got", self.task_id, n))
        if n % 5 == 0 and n not in self.failed:
            self.failed.add(n)
            self.fail(tup)
            return
        self.emit([n])
        self.ack(tup)


def engine(
    topology: Any,
    *,
    seed: int = 1,
    config: dict[str, Any] | None = None,
    faults: list[Fault] | None = None,
    watch: Callable[[Event], None] = lambda event: None,
    rules: Rules | None = None,
) -> Engine:
    """An engine in simulated time, started by `run_until`."""
    random, clock = Random(seed), SimulatedClock()
    plan = plans.read(topology, "test", FAST | (config or {}))
    return Engine(
        plan, Threads(plan, clock, random), clock, random,
        watch=watch, faults=Faults(faults or []), rules=rules,
    )  # fmt: skip


def run_until(made: Engine, done: Callable[[], bool], seconds: float = 600.0) -> None:
    """Start, run until `done` or for so many simulated seconds, stop."""
    assert isinstance(made.clock, SimulatedClock)
    with simulated(made.clock):
        made.start()
        made.run(seconds, done)
        made.stop()
