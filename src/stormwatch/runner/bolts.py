"""The bolts of a run: tuples, ticks and heartbeats in; emits, acks and fails out."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from stormwatch.runner.faults import Act, Point
from stormwatch.runner.multilang import Said, encode
from stormwatch.runner.router import EmitRefused
from stormwatch.runner.tuples import BoltTask, Tuple

if TYPE_CHECKING:
    from stormwatch.runner.engine import Engine

HEARTBEAT_S = 1.0
SYSTEM, SYSTEM_TASK = "__system", -1
HEARTBEAT = {"id": "", "comp": "", "stream": "__heartbeat", "task": SYSTEM_TASK, "tuple": []}
TICK_KEY = "topology.tick.tuple.freq.secs"


class Bolts:
    """Storm's side of all bolt tasks."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.tasks = {
            task: BoltTask(task, part)
            for part in engine.plan.parts.values()
            if not part.is_spout
            for task in part.tasks
        }

    def commands(self) -> dict[tuple[str, str], Callable[[int, Said], None]]:
        """What bolts may say."""
        return {
            ("bolt", "emit"): self._emit, ("bolt", "ack"): self._ack, ("bolt", "fail"): self._fail,
            ("bolt", "sync"): lambda task, said: None,
        }  # fmt: skip

    def started(self, task: int) -> None:
        """A new instance runs: what the last one had, and what waited for it, is gone."""
        old = self.tasks[task]
        fresh = self.tasks[task] = BoltTask(task, old.part, tick=old.tick + 1)
        self._beat(fresh)
        every = {**self._engine.plan.config, **old.part.config}.get(TICK_KEY)
        if every:
            self._engine.after(float(every), partial(self._tick, fresh, every))

    def deliver(self, task: int, one: Tuple) -> None:
        """Queue a tuple for a task, as faults allow."""
        engine, bolt = self._engine, self.tasks[task]
        fault = engine.faults.meet(Point.TUPLE, bolt.part.name)
        if fault is None:
            self._queue(task, one)
            return
        engine.fault(str(fault))
        match fault.act:
            case Act.DROP:
                return
            case Act.DELAY:
                engine.after(fault.seconds, lambda: self._queue(task, one))
                return
            case Act.DUPLICATE:
                self._queue(task, one)
            case Act.REORDER:
                bolt.waiting.appendleft(one)
                self._give(bolt)
                return
            case Act.STALL:
                bolt.stalled_until = engine.clock.now() + fault.seconds
                engine.after(fault.seconds, lambda: self._give(self.tasks[task]))
            case Act.CRASH:
                engine.die(task, "a planned fault")
                return
            case Act.CRASH_AFTER:
                bolt.dies = True
        self._queue(task, one)
        if fault.act is Act.TIMEOUT:
            engine.expire()

    def _queue(self, task: int, one: Tuple) -> None:
        bolt = self.tasks[task]
        bolt.waiting.append(one)
        self._give(bolt)

    def _give(self, bolt: BoltTask) -> None:
        if bolt.stalled_until > self._engine.clock.now():
            return
        data = []
        while bolt.waiting:
            one = bolt.waiting.popleft()
            id = str(self._engine.acker.new_id())  # noqa: A001
            bolt.given[id] = one
            data.append(encode(one.message(id)))
        if data:
            self._engine.host.send(bolt.task, b"".join(data))

    def _beat(self, bolt: BoltTask) -> None:
        if self.tasks[bolt.task] is bolt:
            self._engine.say(bolt.task, HEARTBEAT)
            self._engine.after(HEARTBEAT_S, partial(self._beat, bolt))

    def _tick(self, bolt: BoltTask, every: float) -> None:
        if self.tasks[bolt.task] is bolt:
            self._queue(bolt.task, Tuple(SYSTEM, "__tick", SYSTEM_TASK, [every]))
            self._engine.after(float(every), partial(self._tick, bolt, every))

    def _emit(self, task: int, said: Said) -> None:
        engine, bolt = self._engine, self.tasks[task]
        anchors = []
        for id in said.anchors:  # noqa: A001
            anchor = bolt.given.get(id)
            if anchor is None:
                raise EmitRefused(f"Anchored onto {id} after ack/fail")
            anchors.append(anchor)
        targets = engine.router.targets(task, said.stream, said.values, said.task)
        tuples = [self._child(bolt, said, anchors) for _ in targets]
        if said.need_task_ids and not said.task:
            engine.say(task, targets)
        for target, one in zip(targets, tuples, strict=True):
            self.deliver(target, one)

    def _child(self, bolt: BoltTask, said: Said, anchors: list[Tuple]) -> Tuple:
        one = Tuple(bolt.part.name, said.stream, bolt.task, said.values)
        for anchor in anchors:
            if anchor.ids:
                edge = self._engine.acker.new_id()
                anchor.emitted ^= edge
                for root in anchor.ids:
                    one.ids[root] = one.ids.get(root, 0) ^ edge
        return one

    def _ack(self, task: int, said: Said) -> None:
        engine, one = self._engine, self._take(task, said)
        fault = engine.faults.meet(Point.ACK, self.tasks[task].part.name) if one.ids else None
        if fault is None:
            self._acked(one)
            return
        engine.fault(str(fault))
        match fault.act:
            case Act.DELAY:
                engine.after(fault.seconds, lambda: self._acked(one))
            case Act.DUPLICATE:
                self._acked(one)
                self._acked(one)
            case Act.CRASH:
                engine.die(task, "a planned fault")
            case Act.TIMEOUT:
                self._acked(one)
                engine.expire()

    def _acked(self, one: Tuple) -> None:
        for root, edge in one.ids.items():
            tree = self._engine.acker.ack(root, edge ^ one.emitted)
            self._engine.finish(tree, "acked")

    def _fail(self, task: int, said: Said) -> None:
        for root in self._take(task, said).ids:
            self._engine.finish(self._engine.acker.fail(root), "failed")

    def _take(self, task: int, said: Said) -> Tuple:
        bolt = self.tasks[task]
        one = bolt.given.pop(str(said.id), None)
        if one is None:
            raise EmitRefused(
                f"{said.command.title()}ed a non-existent or already acked/failed id: {said.id}"
            )
        return one
