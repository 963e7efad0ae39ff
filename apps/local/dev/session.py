"""Topologies run together in this process, one step each in turn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from zlib import crc32

from apps.local.dev.load import topology
from stormwatch.adapters.clock import RealClock
from stormwatch.runner import plan
from stormwatch.runner.engine import Engine, Rules
from stormwatch.runner.events import Event
from stormwatch.runner.host import Host
from stormwatch.runner.processes import Processes
from stormwatch.runner.threads import Threads
from stormwatch.settings import Settings, to_conf

Watch = Callable[[str, Event], None]


class Session:
    """Engines of some topologies. Raises RunFailed out of `step` when one gives up."""

    def __init__(
        self, root: Path, names: Sequence[str], settings: Settings, seed: int, watch: Watch,
        processes: bool = False,
    ) -> None:  # fmt: skip
        self._root, self._settings, self._seed, self._watch = root, settings, seed, watch
        self._processes = processes
        self._by_name = {name: self._engine(name) for name in names}
        self._engines = list(self._by_name.values())

    def start(self) -> None:
        """Start all tasks."""
        for engine in self._engines:
            engine.start()

    def step(self) -> None:
        """One turn of each topology."""
        for engine in self._engines:
            engine.step()

    def stop(self) -> None:
        """End all tasks in order."""
        for engine in self._engines:
            engine.stop()

    def kill(self, topology: str, component: str, why: str) -> None:
        """End a component's first task, as a `kill -9` would; its topology starts it again."""
        engine = self._by_name[topology]
        engine.die(engine.plan.parts[component].tasks[0], why)

    def _engine(self, name: str) -> Engine:
        read = plan.read(topology(self._root, name), name, to_conf(self._settings))
        random, clock = Random(self._seed ^ crc32(name.encode())), RealClock()
        host: Host = Threads(read, clock, random)
        if self._processes:
            host = Processes(read, clock, self._root / "src")
        return Engine(
            read, host, clock, random,
            watch=lambda event: self._watch(name, event), rules=Rules(together=True),
        )  # fmt: skip
