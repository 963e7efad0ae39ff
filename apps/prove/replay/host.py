"""A topology's bolts in memory: the same chains of steps, a store and a sink that are lists."""

from types import SimpleNamespace
from typing import Any

from bolts.base import Work
from bolts.chain import ChainBolt, through
from bolts.recommend import PlanBolt, RecommendBolt
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySink
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.recommend.history import Plan
from stormwatch.domains.recommend.round import begin, finish
from stormwatch.metrics import Meter
from stormwatch.ports import Sink, Store
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache


class Host:
    """What the steps of a ChainBolt ask of the bolt that they are in.

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
        self.sent: list[Any] = []
        """What it would have handed on."""

    def send(self, stream: str, fragment: Fragment, payload: object, tup: Any) -> None:
        """As a bolt's."""
        self.sent.append(payload)

    def decide(self, fragment: Fragment, payload: object) -> None:
        """One batch, as the first step takes it, through the steps. Raises what they raise."""
        through(self._links, [Work(fragment, payload, None)], self.send)

    def forget(self) -> None:
        """All that was stored but the states: what comes next is looked at alone."""
        for table in ("decisions", "alerts", "dead_letters", "ledger"):
            self.store.tables.pop(table, None)
        for topic in (self.settings.topic_alerts, self.settings.topic_dead_letters):
            self._broker.delete(topic)


class RoundHost:
    """`plan` and `recommend` as one: what the items would say between them is left out."""

    def __init__(self, settings: Settings) -> None:
        self._plan = Host(PlanBolt, settings)
        self.store = self._plan.store
        self._recommend = Host(RecommendBolt, settings, self.store)
        self.plans: dict[int, Plan] = {}
        """What each decided offset asks of the items."""

    def decide(self, fragment: Fragment, payload: object) -> None:
        """As `Host.decide`."""
        self._plan.decide(fragment, payload)
        begun = begin(self._plan.sent.pop())
        self.plans.update((one.offset, one.plan) for one in begun.planned)
        self._recommend.decide(fragment, finish(begun))  # as RecommendBolt.prepare does

    def forget(self) -> None:
        """As `Host.forget`."""
        self._plan.forget()
        self.plans.clear()
