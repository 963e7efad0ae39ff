"""Topologies run together in this process, one step each in turn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from zlib import crc32

from apps.dev.load import topology
from stormwatch.adapters.task_time import RealClock
from stormwatch.runner import plan
from stormwatch.runner.engine import Engine, Rules
from stormwatch.runner.events import Event
from stormwatch.runner.threads import Threads
from stormwatch.settings import Settings, to_conf

Watch = Callable[[str, Event], None]


class Session:
    """Engines of some topologies. Raises RunFailed out of `step` when one gives up."""

    def __init__(
        self, root: Path, names: Sequence[str], settings: Settings, seed: int, watch: Watch,
    ) -> None:  # fmt: skip
        self._engines = [self._engine(root, name, settings, seed, watch) for name in names]

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

    def _engine(self, root: Path, name: str, settings: Settings, seed: int, watch: Watch) -> Engine:
        read = plan.read(topology(root, name), name, to_conf(settings))
        random, clock = Random(seed ^ crc32(name.encode())), RealClock()
        return Engine(
            read, Threads(read, clock, random), clock, random,
            watch=lambda event: watch(name, event), rules=Rules(together=True),
        )  # fmt: skip
