"""Kafka and the store in memory, watched, for topologies in this process."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from apps.local.run import prepare
from stormwatch.adapters import connect
from stormwatch.adapters.memory import world as memory
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.parsing.mapping import SETTINGS as MAPPINGS
from stormwatch.records import LedgerRow, Outcomes, SetAside
from stormwatch.settings import Settings, variable

MEMORY = {variable("kafka.client"): "memory", variable("store"): "memory"}
GENERATED = MEMORY | {variable(name.replace("_", ".", 1)): "" for name in MAPPINGS}
"""As MEMORY, for generated events: these are in our own format, whatever mappings there are."""


Aside = Callable[[Sequence[SetAside]], None]


class WatchedStore(MemoryStore):
    """Tells of outcomes and set-aside rows once they are written, perhaps more than once."""

    def __init__(self, period_h: int, watch: Callable[[Outcomes], None], aside: Aside) -> None:
        super().__init__(period_h)
        self._watch, self._aside = watch, aside

    def write_outcomes(self, *batches: Outcomes) -> None:
        """See the port."""
        super().write_outcomes(*batches)
        for outcomes in batches:
            self._watch(outcomes)
            self._aside(outcomes.aside)

    def write_aside(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> None:
        """See the port."""
        super().write_aside(domain, rows, ledger, stamp)
        self._aside(rows)


@contextmanager
def environment(values: Mapping[str, str] = MEMORY) -> Iterator[None]:
    """Settings read while this lasts have these values (lead to memory), whatever files say."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def opened(
    settings: Settings,
    watch: Callable[[Outcomes], None],
    simulated: bool = False,
    aside: Aside = lambda rows: None,
) -> Iterator[memory.World]:
    """A new world with all topics; components that start now find it."""
    broker = MemoryBroker(default_partitions=settings.kafka_partitions)
    world = memory.World(broker, WatchedStore(settings.layout_period_h, watch, aside), simulated)
    prepare.ensure_topics(settings, MemoryAdmin(broker), lambda step, detail: None)
    before = connect.use(memory.doubles(world))
    try:
        yield world
    finally:
        connect.use(before)
