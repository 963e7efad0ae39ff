"""Kafka and the store inside this process, for a topology that the runner runs.

Whoever runs it says so to `connect.use`, and sets `kafka.client` and `store` to `memory`. Under
Storm each component is a process of its own and would have a Kafka of its own: there these are
refused.
"""

import time
from typing import NamedTuple

from stormwatch.adapters.connect import Doubles
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.records import Record
from stormwatch.settings import Settings


class World(NamedTuple):
    """What the components of a run share. `simulated`: their time is; nobody waits really."""

    broker: MemoryBroker
    store: MemoryStore
    simulated: bool = False


def doubles(world: World) -> Doubles:
    """What `connect.use` takes."""
    return Doubles(
        lambda settings, topic: _Source(world, topic, settings),
        lambda: MemorySink(world.broker),
        lambda: MemoryAdmin(world.broker),
        lambda: world.store,
    )


class _Source(MemorySource):
    """Waits in the time that the run has."""

    def __init__(self, world: World, topic: str, settings: Settings) -> None:
        super().__init__(world.broker, topic, settings.kafka_group, settings.topic_control)
        self._simulated = world.simulated

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        if not self._simulated:
            return super().poll(max_records, timeout)
        found = super().poll(max_records, 0.0)
        if not found:
            time.sleep(timeout)
        return found
