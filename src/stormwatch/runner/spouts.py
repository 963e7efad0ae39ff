"""The spouts of a run: next, ack, fail, and what they emit."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from stormwatch.runner.faults import Act, Point
from stormwatch.runner.multilang import Said, encode
from stormwatch.runner.tuples import SpoutTask, Tuple

if TYPE_CHECKING:
    from stormwatch.runner.engine import Engine

EMPTY_WAIT_KEY, EMPTY_WAIT_MS = "topology.sleep.spout.wait.strategy.time.ms", 1
"""After a `next` that emitted nothing: Storm's sleeping wait strategy, and its default."""

Command = Callable[[int, Said], None]


class Spouts:
    """Storm's side of all spout tasks."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.tasks = {
            task: SpoutTask(task, part)
            for part in engine.plan.parts.values()
            if part.is_spout
            for task in part.tasks
        }
        config = engine.plan.config
        self._empty_wait_s = float(config.get(EMPTY_WAIT_KEY) or EMPTY_WAIT_MS) / 1000
        limit = config.get("topology.max.spout.pending")
        self._limits = {
            task: spout.part.config.get("topology.max.spout.pending", limit)
            for task, spout in self.tasks.items()
        }

    def commands(self) -> dict[tuple[str, str], Command]:
        """What spouts may say."""
        return {("spout", "emit"): self._emit, ("spout", "sync"): self._sync}

    def started(self, task: int) -> None:
        """A new instance runs."""
        fresh = self.tasks[task] = SpoutTask(task, self.tasks[task].part, active=True)
        fresh.told.append({"command": "activate"})

    def deactivate(self) -> None:
        """No more `next`; acks and fails go on."""
        for spout in self.tasks.values():
            if spout.active:
                spout.active = False
                spout.told.append({"command": "deactivate"})

    def activate(self) -> None:
        """Go on after `deactivate`."""
        for spout in self.tasks.values():
            if not spout.active:
                spout.active = True
                spout.told.append({"command": "activate"})

    def at_rest(self) -> bool:
        """Whether every spout was told all and answered."""
        return not any(spout.busy or spout.told for spout in self.tasks.values())

    def feed(self, now: float) -> float:
        """Give each spout that is free what it is to do; the time of the first that has to wait."""
        first = float("inf")
        for task, spout in self.tasks.items():
            if spout.busy:
                continue
            if spout.stalled_until > now:
                first = min(first, spout.stalled_until)
            elif spout.told:
                # All at once: a hand-over for each would cost more than the ack itself.
                spout.busy = len(spout.told)
                self._engine.host.send(task, b"".join(encode(m) for m in spout.told))
                spout.told.clear()
            elif spout.active and not self._throttled(task):
                if spout.due <= now:
                    spout.busy, spout.emitted = 1, False
                    self._engine.say(task, {"command": "next"})
                else:
                    first = min(first, spout.due)
        return first

    def tell(self, task: int, id: Any, how: str) -> None:  # noqa: A002
        """The end of one of its trees."""
        engine, spout = self._engine, self.tasks[task]
        message = {"command": "ack" if how == "acked" else "fail", "id": id}
        fault = engine.faults.meet(Point.TOLD, spout.part.name)
        act = fault.act if fault else None
        if fault:
            engine.fault(str(fault))
        if fault and act is Act.DELAY:
            engine.after(fault.seconds, partial(self._tell, task, message))
            return
        for _ in range({Act.DROP: 0, Act.DUPLICATE: 2}.get(act, 1) if act else 1):
            self._tell(task, message)
        if act is Act.CRASH:
            engine.die(task, "a planned fault")
        elif act is Act.TIMEOUT:
            engine.expire()

    def _tell(self, task: int, message: dict[str, Any]) -> None:
        self.tasks[task].told.append(message)

    def _throttled(self, task: int) -> bool:
        limit = self._limits[task]
        return bool(limit) and self._engine.acker.pending(task) >= int(limit or 0)

    def _sync(self, task: int, said: Said) -> None:
        spout = self.tasks[task]
        spout.busy -= 1
        if not spout.emitted:
            spout.due = self._engine.clock.now() + self._empty_wait_s

    def _emit(self, task: int, said: Said) -> None:
        engine, spout = self._engine, self.tasks[task]
        spout.emitted = True
        targets = engine.router.targets(task, said.stream, said.values, said.task)
        root, value = engine.acker.new_id(), 0
        tuples = []
        for _ in targets:
            one = Tuple(spout.part.name, said.stream, task, said.values)
            if said.id is not None:
                edge = engine.acker.new_id()
                one.ids[root] = edge
                value ^= edge
            tuples.append(one)
        if said.id is not None:
            done = engine.acker.begin(root, value, task, said.id, engine.clock.now())
            engine.finish(done, "acked")
        if said.need_task_ids and not said.task:
            engine.say(task, targets)
        for target, one in zip(targets, tuples, strict=True):
            engine.bolts.deliver(target, one)
