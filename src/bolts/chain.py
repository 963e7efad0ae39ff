"""A bolt made of steps: one step, or neighbours chained into one process.

A hop through Storm costs two passes of the batch through the JVM. Steps that need no regrouping
between them are therefore chained, in one line: `steps = (score, store)`. The same steps spread
over two bolts, one each, behave the same.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from bolts.base import BatchBolt
from stormwatch.records import Fragment
from stormwatch.steps import Fate, Step


class ChainBolt(BatchBolt):
    """Runs `steps` in turn; what the last one returns is emitted, None ends the flow here.

    Guarantee: at least once for each fragment; a step that raises InfrastructureError fails the
    tuple after every step of the chain was told, so that nothing unconfirmed is kept.
    """

    steps: ClassVar[tuple[Callable[[Any], Step], ...]]
    state_key: ClassVar[tuple[str, ...]] = ("bucket",)
    """Fields that keep an entity's batches together; the lint compares them with the grouping."""

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        super().initialize(conf, ctx)
        self._links = [make(self) for make in self.steps]

    def handle(self, fragment: Fragment, payload: Any, tup: Any) -> None:
        begun: list[Step] = []
        fate = Fate.FAILED
        try:
            for link in self._links:
                begun.append(link)
                payload = link.work(fragment, payload)
            if payload is None:
                fate = Fate.DONE
            else:
                self.send("default", fragment, payload, tup)
                fate = Fate.HANDED_ON
        finally:
            for link in begun:
                link.settle(fragment, fate)
