"""All tasks in one process, one at a time: bolts before spouts, chosen by a seeded Random."""

import tempfile
from random import Random

from stormwatch.runner.clock import Clock
from stormwatch.runner.host import News
from stormwatch.runner.plan import Plan
from stormwatch.runner.stdout import FREE, Stdout
from stormwatch.runner.strand import Ended, Strand

HANG_S = 120.0
"""A component that does not come back for so long is given up: Storm's heartbeat time-out."""


class Threads:
    """The tasks of a plan on cooperating threads. Deterministic for a given `random`."""

    def __init__(self, plan: Plan, clock: Clock, random: Random, hang_s: float = HANG_S) -> None:
        self._plan, self._clock, self._random, self._hang_s = plan, clock, random, hang_s
        self._strands: dict[int, Strand] = {}
        self._bolts = {t for p in plan.parts.values() if not p.is_spout for t in p.tasks}
        self._stdout = Stdout()
        self._folder = tempfile.TemporaryDirectory(prefix="stormwatch-pids-")
        self.pid_dir = self._folder.name

    def start(self, task: int) -> None:
        """A new instance of the task's component."""
        part = self._plan.owner(task)
        self._strands[task] = Strand(f"{part.name}-{task}", part.component)

    def send(self, task: int, data: bytes) -> None:
        """Messages for a task."""
        self._strands[task].give(data)

    def poll(self, until: float) -> News | None:
        """Let one task run that has something to do; None at `until` if there is none."""
        ready = [t for t, s in self._strands.items() if s.runnable]
        ready = [t for t in ready if t in self._bolts] or ready
        if not ready:
            self._clock.wait(until)
            return None
        task = ready[0] if len(ready) == 1 else self._random.choice(ready)
        strand = self._strands[task]
        back = self._resume(task, strand)
        self._clock.worked()
        if not back:
            strand.abandon()
            del self._strands[task]
            return News(task, b"", Ended(1, f"it did not come back within {self._hang_s:g} s"))
        if strand.ended is not None:
            del self._strands[task]
        return News(task, strand.take(), strand.ended)

    def kill(self, task: int) -> None:
        """As kill -9: nothing more is heard of it."""
        strand = self._strands.pop(task, None)
        if strand is not None:
            strand.abandon(wait_s=1.0)

    def close(self) -> None:
        """End every component by the end of its input."""
        for strand in self._strands.values():
            strand.close()
        for strand in self._strands.values():
            if strand.ended is None and not strand.resume(self._hang_s):
                strand.abandon()
        self._strands.clear()
        self._stdout.close()
        self._folder.cleanup()

    def _resume(self, task: int, strand: Strand) -> bool:
        if getattr(self._plan.owner(task).component, FREE, False):
            return strand.resume(self._hang_s)
        printed: list[bytes] = []
        with self._stdout.caught(printed):
            back = strand.resume(self._hang_s)
        strand.out[:0] = printed
        return back
