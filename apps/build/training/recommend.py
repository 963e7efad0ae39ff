"""Quality of recommendations, prequentially: each list is judged by what its user does next.

    PYTHONPATH=src .venv/bin/python -m apps.build.training.recommend --seeds 3 --events 100000

One pass in order of time over generated behaviour with planted tastes, through the functions that
the bolts run. Judged are touches of an item that is not among the user's last ones, against the
list stored after the user's event before (nothing later is known to it). Popularity is the same
list made of `everyone` alone, without what the user owns or has just seen. The ceiling is the same
of the group that the user is about to follow, which the generator tells and nobody could know.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from statistics import mean, stdev
from time import perf_counter
from typing import NamedTuple

from apps.data.generate.behaviour import behaviour
from stormwatch.domains.recommend.event import BUY, Behaviour
from stormwatch.domains.recommend.history import RoundPlan, UserState, remember
from stormwatch.domains.recommend.items import POPULAR_ANSWERED, POPULAR_SIZE, asks, everyone, take
from stormwatch.domains.recommend.neighbours import Answer, ItemState, best, learn
from stormwatch.domains.recommend.parse import parse
from stormwatch.domains.recommend.ranking import rank
from stormwatch.partitioner import partition_of
from stormwatch.records import Rejection
from stormwatch.state.judge import Verdict

ITEMS = 1_000
WARM = 0.2
"""This share of the events, the first, is learned and not judged."""
FAR = 1 << 62


class Figures(NamedTuple):
    """Of one seed. Hit rates@10, and the share of the catalogue that was ever shown."""

    seed: int
    judged: int  # touches of an item not among the user's last
    hit: float
    hit_popular: float
    hit_ceiling: float
    purchases: int  # of them, judged by the list before the item was looked at
    hit_purchase: float
    hit_purchase_popular: float
    coverage: float
    coverage_popular: float
    owned_shown: int  # must be 0
    events_per_s: float


class Recommender:
    """The whole topology in one process, without Storm: states in dictionaries."""

    def __init__(self, partitions: int = 4) -> None:
        self._partitions = partitions
        self._users: dict[str, UserState] = {}
        self._items: dict[str, ItemState] = {}

    def take(self, offset: int, event: Behaviour) -> tuple[RoundPlan, Verdict, Answer]:
        """What the topology stores for this event, and what was popular then."""
        plan = remember(self._users.setdefault(event.user, UserState()), event)
        partition = partition_of(event.user.encode(), self._partitions)
        answers = {
            ask.name: take(self._items.setdefault(ask.name, ItemState()), ask, decided=False).answer
            for ask in asks(plan, partition, offset)
        }
        popular = answers[everyone(partition)]
        return plan, rank(plan, answers, popular), popular


def events(seed: int, count: int) -> Iterator[tuple[Behaviour, int]]:
    """Parsed, as they come, with the taste that each follows."""
    for generated in islice(behaviour(seed, items=ITEMS), count):
        event = parse(generated.value, FAR, future_skew_ms=0)
        assert not isinstance(event, Rejection), event
        yield event, generated.taste


class _Judge:
    """Counts hits of the lists before."""

    def __init__(self) -> None:
        self.judged = self.hits = self.popular_hits = 0

    def count(self, item: str, ours: list[str], theirs: list[str]) -> None:
        self.judged += 1
        self.hits += item in ours
        self.popular_hits += item in theirs

    def rates(self) -> tuple[float, float]:
        return self.hits / max(1, self.judged), self.popular_hits / max(1, self.judged)


class _Ceiling:
    """What is popular in each planted group."""

    def __init__(self) -> None:
        self.hits = 0
        self._groups: dict[int, ItemState] = {}

    def count(self, event: Behaviour, taste: int, plan: RoundPlan) -> None:
        known = best(self._groups.get(taste, ItemState()), POPULAR_ANSWERED)
        shown = rank(plan, {}, known).reasons
        self.hits += any(reason.code == event.item for reason in shown)

    def learn(self, event: Behaviour, taste: int) -> None:
        group = self._groups.setdefault(taste, ItemState())
        learn(group, event.item, event.strength, event.time, POPULAR_SIZE)


class Shown(NamedTuple):
    """What a user was shown after an event: ours, and popularity's."""

    plan: RoundPlan
    ours: list[str]
    popular: list[str]


def judge(seed: int, count: int) -> Figures:
    """One pass over `count` events."""
    recommender = Recommender()
    lists: dict[str, Shown] = {}
    met: dict[str, tuple[str, Shown]] = {}  # user -> the item met last, and the list before it
    bought: dict[str, set[str]] = {}
    touches, purchases, ceiling = _Judge(), _Judge(), _Ceiling()
    ours_shown, popular_shown = set[str](), set[str]()
    owned_shown, spent = 0, 0.0
    for offset, (event, taste) in enumerate(events(seed, count)):
        warm, before = offset >= WARM * count, lists.get(event.user)
        if before and event.item not in [touch.item for touch in before.plan.recent]:
            met[event.user] = event.item, before
            if warm:
                touches.count(event.item, before.ours, before.popular)
                ceiling.count(event, taste, before.plan)
        ceiling.learn(event, taste)
        item, then = met.get(event.user, ("", None))
        if warm and event.kind == BUY and then and item == event.item:
            purchases.count(event.item, then.ours, then.popular)
        start = perf_counter()
        plan, verdict, popular = recommender.take(offset, event)
        spent += perf_counter() - start
        if event.kind == BUY:
            bought.setdefault(event.user, set()).add(event.item)
        alone = rank(plan, {}, popular)
        shown = Shown(plan, [r.code for r in verdict.reasons], [r.code for r in alone.reasons])
        lists[event.user] = shown
        owned_shown += len(bought.get(event.user, set()).intersection(shown.ours))
        if warm:
            ours_shown.update(shown.ours)
            popular_shown.update(shown.popular)
    return Figures(
        seed, touches.judged, *touches.rates(), ceiling.hits / max(1, touches.judged),
        purchases.judged, *purchases.rates(), len(ours_shown) / ITEMS, len(popular_shown) / ITEMS,
        owned_shown, count / spent,
    )  # fmt: skip


def main() -> None:
    """A line a seed, then mean and spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--events", type=int, default=100_000)
    asked = parser.parse_args()
    rows = [judge(seed, asked.events) for seed in range(asked.seeds)]
    for row in rows:
        print(json.dumps({k: round(v, 4) for k, v in row._asdict().items()}))
    for name in Figures._fields[1:]:
        values = [getattr(row, name) for row in rows]
        print(f"{name:<22} {mean(values):12.4f} ± {stdev(values) if len(values) > 1 else 0:.4f}")


if __name__ == "__main__":
    main()
