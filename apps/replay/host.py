"""The bolt of a topology in memory: the same chain of steps, a store and a sink that are lists."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

from bolts.chain import ChainBolt
from bolts.fraud import FraudBolt
from bolts.maintenance import MaintenanceBolt
from bolts.parse import ParseReadings, ParseTransactions
from stormwatch.adapters.kafka_memory import MemoryBroker, MemorySink
from stormwatch.adapters.store_memory import MemoryStore
from stormwatch.cache import StateCache
from stormwatch.meter import Meter
from stormwatch.ports import Sink, Store
from stormwatch.records import Fragment
from stormwatch.settings import Settings


class Components(NamedTuple):
    """What a topology decides with."""

    bolt: type[ChainBolt]
    parse_one: Callable[..., Any]
    with_model: Callable[[Settings, str], Settings]  # with the model in another folder
    with_rules: Callable[[Settings, str], Settings] | None = None  # with those of another file


OF = {
    "fraud": Components(
        FraudBolt,
        ParseTransactions.parse_one,
        lambda settings, folder: replace(settings, fraud_model=folder),
        lambda settings, file: replace(settings, fraud_rules=file),
    ),
    "maintenance": Components(
        MaintenanceBolt,
        ParseReadings.parse_one,
        lambda settings, folder: replace(settings, maintenance_model=folder),
    ),
}


class Host:
    """What the steps of a ChainBolt ask of the bolt that they are in; `handle` is the bolt's own.

    Unless others are given, the store is in memory, and alerts and dead letters go to a broker in
    memory that nobody reads.
    """

    component_name = "replay"
    cache: StateCache | None = None

    def __init__(
        self,
        bolt: type[ChainBolt],
        settings: Settings,
        store: Store | None = None,
        sink: Sink | None = None,
    ) -> None:
        self.settings = settings
        self.store = MemoryStore(settings.layout_period_h)
        self._broker = MemoryBroker(lambda: 0)
        into, onto = store or self.store, sink or MemorySink(self._broker)
        self.outside = SimpleNamespace(
            store=lambda: into, sink=lambda: onto, meter=Meter(), settings=settings
        )
        made: Any = self
        self._links = [make(made) for make in bolt.steps]
        self._handle: Callable[..., None] = bolt.handle

    def decide(self, fragment: Fragment, payload: object) -> None:
        """One batch through the bolt. Raises what the bolt raises, ModelError among it."""
        self._handle(self, fragment, payload, None)

    def forget(self) -> None:
        """All that was stored but the states: what comes next is looked at alone."""
        for table in ("decisions", "alerts", "dead_letters", "ledger"):
            self.store.tables.pop(table, None)
        for topic in (self.settings.topic_alerts, self.settings.topic_dead_letters):
            self._broker.delete(topic)
