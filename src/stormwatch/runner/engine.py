"""Storm's part of a run: starts tasks, moves tuples, keeps trees and timers. See docs/runner.md"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random

from stormwatch.errors import StormwatchError, lasting
from stormwatch.runner.acker import Acker, Tree
from stormwatch.runner.bolts import Bolts
from stormwatch.runner.clock import Clock
from stormwatch.runner.events import Died, Event, Faulted, Logged, Settled
from stormwatch.runner.faults import Faults
from stormwatch.runner.host import Host, News
from stormwatch.runner.multilang import Said, decode, encode, parts
from stormwatch.runner.plan import MESSAGE_TIMEOUT_S, Plan
from stormwatch.runner.router import EmitRefused, Router
from stormwatch.runner.spouts import Spouts
from stormwatch.runner.tuples import BoltTask, SpoutTask

IDLE_S = 0.05
"""How long one `step` waits at most."""

_PRINTED = (
    ". It, or a program that it starts, writes to stdout, which is its pipe to Storm: "
    "use self.logger, or stormwatch's base classes"
)


class RunFailed(StormwatchError):
    """A component died too often, then the text ends with its traceback; or of what lasts until a
    person acts, then it is that sentence."""


@dataclass(frozen=True)
class Rules:
    """`deaths` of components within `window_s` end the run. `together`: they share one worker, so
    that the death of one restarts all, as on a cluster with one worker."""

    deaths: int = 3
    window_s: float = 60.0
    together: bool = False


class Engine:
    """One topology's run. Everything random comes from `random`, all time from `clock`."""

    def __init__(
        self, plan: Plan, host: Host, clock: Clock, random: Random, *,
        watch: Callable[[Event], None] = lambda event: None, faults: Faults | None = None,
        rules: Rules | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.host, self.clock, self.random, self.watch = plan, host, clock, random, watch
        self.faults, self._rules = faults or Faults(), rules or Rules()
        self.router, self.acker = Router(plan, random), Acker(random)
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._died: list[float] = []
        self._ended = False
        self._why: dict[int, str] = {}
        self.spouts, self.bolts = Spouts(self), Bolts(self)
        self._commands = {**self.spouts.commands(), **self.bolts.commands()}
        self._timeout_s = float(
            plan.config.get("topology.message.timeout.secs") or MESSAGE_TIMEOUT_S
        )

    def start(self) -> None:
        """Start every task, spouts last, as Storm activates them when all stand."""
        for task in (*self.bolts.tasks, *self.spouts.tasks):
            self._launch(task)
        if self.plan.config.get("topology.enable.message.timeouts", True):
            self._every(self._timeout_s, self._rotate)

    def step(self) -> None:
        """One turn: timers that are due, what is owed to spouts, and one task's turn."""
        now = self.clock.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        until = min(self.spouts.feed(now), now + IDLE_S)
        if self._timers:
            until = min(until, self._timers[0][0])
        news = self.host.poll(until)
        if news is not None:
            self._hear(news)

    def run(self, seconds: float | None = None, until: Callable[[], bool] = lambda: False) -> None:
        """Step until `until` holds or `seconds` have passed. Raises RunFailed."""
        end = None if seconds is None else self.clock.now() + seconds
        while not until() and (end is None or self.clock.now() < end):
            self.step()

    def stop(self, seconds: float = 5.0) -> None:
        """Deactivate the spouts, let them finish with that, and end all tasks."""
        if not self._ended:
            self.spouts.deactivate()
            self.run(seconds, self.spouts.at_rest)
            self._end()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once, later."""
        heapq.heappush(self._timers, (self.clock.now() + seconds, next(self._numbers), action))

    def say(self, task: int, message: object) -> None:
        """Send a message to a task."""
        self.host.send(task, encode(message))

    def finish(self, tree: Tree | None, how: str) -> None:
        """A tree ended: tell its spout. None is nothing."""
        if tree is not None:
            name = self.plan.owner(tree.task).name
            age = self.clock.now() - tree.begun
            self.watch(Settled(name, tree.task, tree.id, how, age))
            self.spouts.tell(tree.task, tree.id, how)

    def expire(self) -> None:
        """Everything in flight times out now."""
        for tree in self.acker.expire():
            self.finish(tree, "timed out")

    def fault(self, text: str) -> None:
        """Tell that a planned fault happens."""
        self.watch(Faulted(text))

    def die(self, task: int, why: str) -> None:
        """A task's component ends, or is ended here; it is started again, within the rules."""
        self.host.kill(task)
        self._bury(task, why)

    def _end(self) -> None:
        self._ended = True
        self.host.close()

    def _launch(self, task: int) -> None:
        self.host.start(task)
        self.say(task, self.plan.hello(task, self.host.pid_dir))
        (self.spouts if task in self.spouts.tasks else self.bolts).started(task)

    def _bury(self, task: int, why: str) -> None:
        now, part = self.clock.now(), self.plan.owner(task)
        self._died = [*(t for t in self._died if t > now - self._rules.window_s), now]
        sentence = lasting(why)
        again = len(self._died) <= self._rules.deaths and not sentence
        self.watch(Died(part.name, task, sentence or why, again))
        if sentence:
            self._end()
            raise RunFailed(f"{part.name} cannot go on: {sentence}")
        if not again:
            self._end()
            raise RunFailed(
                f"{part.name} died, the last of {len(self._died)} deaths within "
                f"{self._rules.window_s:g} s. Fix what this says, then start again.\n{why}"
            )
        tasks = [*self.bolts.tasks, *self.spouts.tasks] if self._rules.together else [task]
        for each in tasks:
            self.host.kill(each)
            self.acker.forget(each)
            self._launch(each)

    def _hear(self, news: News) -> None:
        instance = self._instance(news.task)
        if instance.dies:
            self.die(news.task, "a planned fault: what it did last was not heard")
            return
        for data in parts(news.data):
            if self._instance(news.task) is not instance:
                return
            try:
                self._obey(news.task, decode(data))
            except (ValueError, EmitRefused) as error:
                hint = "" if data.lstrip().startswith(b"{") else _PRINTED
                self.die(news.task, f"Storm refuses what it said: {error}{hint}\n{data[:300]!r}")
                return
        if news.ended is not None and self._instance(news.task) is instance:
            why = self._why.pop(news.task, "") or news.ended.why
            why = why or f"it ended with exit code {news.ended.code}"
            self._bury(news.task, why)

    def _instance(self, task: int) -> BoltTask | SpoutTask:
        return self.spouts.tasks.get(task) or self.bolts.tasks[task]

    def _obey(self, task: int, said: Said) -> None:
        kind = "spout" if task in self.spouts.tasks else "bolt"
        if said.command in ("log", "error"):
            level = 4 if said.command == "error" else said.level
            if said.command == "error":
                self._why[task] = str(said.msg)
            self.watch(Logged(self.plan.owner(task).name, task, level, str(said.msg)))
        elif said.command == "metrics":
            raise EmitRefused(f"Could not find metric by name[{said.name}]")
        elif said.command:
            act = self._commands.get((kind, said.command))
            if act is not None:
                act(task, said)
            elif kind == "spout":  # a bolt's is passed over
                raise EmitRefused(f"Unknown command received: {said.command}")
        elif not said.pid:
            raise EmitRefused("a message without a command: NullPointerException")

    def _every(self, seconds: float, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self.after(seconds, again)

        self.after(seconds, again)

    def _rotate(self) -> None:
        for tree in self.acker.rotate():
            self.finish(tree, "timed out")
