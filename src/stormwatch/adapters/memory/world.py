"""Kafka and the store inside this process, for a topology that the runner runs.

Chosen by the settings `kafka.client = memory` and `store = memory`; the runner opens them first.
Under Storm each component is a process of its own and would have a Kafka of its own: there they
are refused.
"""

import time
from typing import NamedTuple

from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import SettingsError
from stormwatch.ports import Admin, Sink, Source, Store
from stormwatch.records import Record
from stormwatch.settings import Settings


class World(NamedTuple):
    """What the components of a run share. `simulated`: their time is; nobody waits really."""

    broker: MemoryBroker
    store: MemoryStore
    simulated: bool = False


_open: list[World] = []


def use(world: World | None) -> None:
    """From now on this is what the settings lead to; None is nothing."""
    _open[:] = [] if world is None else [world]


def world() -> World:
    """Raises SettingsError where nobody opened one."""
    if not _open:
        raise SettingsError(
            "kafka.client or store is `memory`, and that lives only inside `./stormwatch demo` and "
            "`./stormwatch dev`. For Storm, remove the setting: see `./stormwatch config`."
        )
    return _open[0]


def source(settings: Settings, topic: str) -> Source:
    """A Source of the topic."""
    return _Source(world().broker, topic, settings.kafka_group, settings.topic_control)


def sink() -> Sink:
    """A Sink."""
    return MemorySink(world().broker)


def admin() -> Admin:
    """An Admin."""
    return MemoryAdmin(world().broker)


def store() -> Store:
    """The store."""
    return world().store


class _Source(MemorySource):
    """Waits in the time that the run has."""

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        if not world().simulated:
            return super().poll(max_records, timeout)
        found = super().poll(max_records, 0.0)
        if not found:
            time.sleep(timeout)
        return found
