"""A bolt made of steps: one step, or neighbours chained into one process.

A hop through Storm costs two passes of the batch through the JVM. Steps that need no regrouping
between them are therefore chained, in one line: `steps = (score, store)`. The same steps spread
over two bolts, one each, behave the same.
"""

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, ClassVar

from bolts.base import BatchBolt, Work
from stormwatch.records import Fragment
from stormwatch.state.step import DECISIONS, Outcome, Step


class ChainBolt(BatchBolt):
    """Runs `steps` in turn; what the last one returns is emitted, None ends the flow here.

    What a step returns that commits goes out on the stream `decisions`, all else on the default.

    Guarantee: at least once for each fragment; a step that raises InfrastructureError fails the
    tuple after every step of the chain was told, so that nothing unconfirmed is kept.
    """

    steps: ClassVar[tuple[Callable[[Any], Step], ...]]
    state_key: ClassVar[tuple[str, ...]] = ("bucket",)
    """Fields that keep an entity's batches together; the lint compares them with the grouping."""

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        super().initialize(conf, ctx)
        self._links = [make(self) for make in self.steps]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.handle is not ChainBolt.handle:
            raise TypeError(
                f"{cls.__name__}.handle would not see batches that are worked on together: change "
                "what the first step takes in `prepare`, which sees each of them"
            )

    def prepare(self, fragment: Fragment, payload: Any) -> Any:
        """What the first step takes of a batch: its payload, unless a bolt makes something of it.

        Each batch comes this way, alone or with others; no other place may change what is worked
        on.
        """
        return payload

    def handle(self, fragment: Fragment, payload: Any, tup: Any) -> None:
        """A group of one."""
        self.handle_all([Work(fragment, payload, tup)])

    def handle_all(self, works: Sequence[Work]) -> None:
        prepared = [Work(f, self.prepare(f, payload), tup) for f, payload, tup in works]
        through(self._links, prepared, self.send, self._spent)

    def _spent(self, step: Step, ns: int) -> None:
        name = type(step).__name__.removesuffix("Step").lower()
        self.meter.metrics.spent[name] += ns
        if self.traces is not None:
            self.traces.part(name, ns)


def through(
    links: Sequence[Step],
    works: Sequence[Work],
    send: Callable[..., None],
    spent: Callable[[Step, int], None] = lambda step, ns: None,
) -> None:
    """Works of different partitions through the links; what the last one gives goes to `send`.

    `spent` is told the nanoseconds of each link."""
    begun: list[Step] = []
    outcome = Outcome.FAILED
    fragments = [work.fragment for work in works]
    payloads = [work.payload for work in works]
    try:
        for link in links:
            begun.append(link)
            began = perf_counter_ns()
            payloads = link.work_all(list(zip(fragments, payloads, strict=True)))
            spent(link, perf_counter_ns() - began)
        outcome = Outcome.DONE
        commits = links[-1].commits
        for work, payload in zip(works, payloads, strict=True):
            if payload is not None:
                send(DECISIONS if commits else "default", work.fragment, payload, work.tup)
                outcome = Outcome.DONE if commits else Outcome.HANDED_ON
    finally:
        for link in begun:
            for fragment in fragments:
                link.finish(fragment, outcome)
