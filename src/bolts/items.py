"""Items: who goes with whom. Each shard of them is one task that every batch passes."""

from functools import partial
from typing import Any, ClassVar

from streamparse import Stream

from bolts.base import BatchBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import BATCH_FIELDS
from stormwatch.domains.recommend.items import ITEMS, Answers, Items
from stormwatch.domains.recommend.round import Round, asked_of
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment
from stormwatch.state.cache import StateCache
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome


class ItemsBolt(BatchBolt):
    """One shard of the items: learns who goes with whom, answers, hands the batch on.

    Guarantee: what an item has learned is confirmed by the store before its answers go on; a
    replay is answered again and counted once. One task a shard, for a key has one writer.
    """

    payload = Round
    writes = ("states",)
    outputs = [Stream(list(BATCH_FIELDS))]
    shard: ClassVar[int]
    shards: ClassVar[int] = 2

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        super().initialize(conf, ctx)
        stripes = partial(stripe_of, stripes=self.settings.layout_stripes)
        items: Any = Items()  # in the shape of a Contract, as far as the step goes
        self.cache = StateCache(self.settings.cache_mb << 20)
        self._step = ScoreStep(lambda: items, self.cache, stripes, self.connections.store, now_ms)

    def handle(self, fragment: Fragment, payload: Round, tup: Any) -> None:
        outcome = Outcome.FAILED
        try:
            asked = asked_of(payload, self.shard, self.shards)
            answers: Any = self._step.work(fragment, asked)
            assert isinstance(answers, Answers)
            if answers.states:
                self.connections.store().write_states(ITEMS, answers.states)
            payload.told += answers.told
            self.send("default", fragment, payload, tup)
            outcome = Outcome.DONE
        finally:
            self._step.finish(fragment, outcome)


class FirstItems(ItemsBolt):
    """Shard 0."""

    shard = 0


class SecondItems(ItemsBolt):
    """Shard 1."""

    shard = 1
