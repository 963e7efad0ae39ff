"""What decisions recorded of what no log tells: whoever decides again takes it as it is stored.

What an event was told of its second key (`stormwatch.state.second_key`), and after which records of
its entity a label was learned, depend on how far other processes had come. What is believed is
this alone: with it each decision has to be, byte for byte, what the core makes of the log.
"""

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import msgspec

from stormwatch.partitioner import stripe_of
from stormwatch.ports import Store
from stormwatch.records import DecisionKey, Shadow
from stormwatch.state.second_key import SecondKey, Told, Values, place_in, second_of


class Recorded(msgspec.Struct):
    """Of a decision: which record it is of, and what it recorded. Whole numbers stay whole."""

    topic: str
    partition: int
    offset: int
    features: tuple[int | float | None, ...]
    after: tuple[tuple[int, int, int], ...] = ()
    """See `Decision.after`."""
    model: str = ""
    rules: str = ""
    degraded: bool = False
    shadow: tuple[Shadow, ...] = ()


_decode = msgspec.json.Decoder(Recorded).decode
Find = Callable[[Any], Recorded | None]
"""What the stored decision of an event recorded; None where there is none that can be read."""


def read(body: bytes) -> Recorded | None:
    """None of what is no decision: it is told elsewhere."""
    try:
        return _decode(bytes(body))
    except msgspec.MsgspecError:
        return None


class AsRecorded:
    """A domain whose events are told of their second keys what their decisions recorded."""

    def __init__(self, domain: Any, find: Find) -> None:
        second = second_of(domain)
        self._domain = domain
        self.second = None if second is None else _SecondAsRecorded(domain, second, find)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._domain, name)


class _SecondAsRecorded:
    """A second key that is known by what decisions recorded of it."""

    def __init__(self, domain: Any, second: SecondKey[Any, Any, Any], find: Find) -> None:
        self._second, self._find = second, find
        self._names = len(domain.feature_names)
        self._place = place_in(domain, second)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._second, name)

    def values(self, state: Any, event: Any) -> Values:
        """Of an event that no decision is stored of, as of a key never seen."""
        decision = self._find(event)
        if decision is None or len(decision.features) != self._names:
            return self._second.values(None, event)
        return tuple(nan if one is None else one for one in decision.features[self._place])


class Recall:
    """Tells the events of a batch what the decisions in a store recorded of their second keys."""

    def __init__(self, store: Store, domain: Any, stripes: int) -> None:
        """The domain has a second key. `stripes`: the setting `layout.stripes`."""
        self._store, self._domain, self._stripes = store, domain, stripes

    def __call__(self, events: Sequence[Any]) -> Told:
        """Of these events, asked for in one go. Raises StoreUnavailable."""
        keys = [
            DecisionKey(stripe_of(one.entity, self._stripes), one.entity, one.time, one.id)
            for one in events
        ]
        rows = self._store.find_decisions(self._domain.name, keys)
        found = {(row.entity, row.time, row.id): read(row.body) for row in rows}
        second = second_of(
            AsRecorded(self._domain, lambda one: found.get((one.entity, one.time, one.id)))
        )
        assert second is not None

        def told(event: Any) -> Values:
            return second.values(None, event)

        return told
