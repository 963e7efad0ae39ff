"""Skew between what is served and what is trained on: live feature vectors, computed again.

Of one entity in EVERY (chosen by a hash) the events that were decided are kept, and what was known
of it before the first of them. After KEPT events their features are computed again in one pass from
there, as training computes them: without batches, cache and store between, with what each decision
recorded of its second key. A vector that is not bit for bit the stored one is told. Then the next
stretch begins with what is stored of the entity by then.

What another process wrote between, or a batch that was not committed, begins a stretch anew.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import isnan, nan
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from stormwatch.codec import Parsed
from stormwatch.records import Fragment, Outcomes
from stormwatch.state.cache import Entry
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.judge import Judge
from stormwatch.state.second_key import advance_of, place_in, second_of

EVERY = 100
KEPT = 16
"""Events of an entity between two looks."""
MOST = 512
"""Entities whose events are kept at once: the one that was looked at longest ago makes room."""


class _Stored(msgspec.Struct):
    offset: int
    features: tuple[float | None, ...]


_decode = msgspec.json.Decoder(_Stored).decode
Row = tuple[float, ...]


class Found(NamedTuple):
    """Since the process began."""

    compared: int  # feature vectors
    differing: int
    told: str  # the first that differs, in a sentence; "" while none does


class _Stretch:
    """Of one entity."""

    def __init__(self, base: bytes) -> None:
        self.base = self.last = base
        self.events: list[tuple[Any, Row]] = []


class _Pending(NamedTuple):
    """What a batch that is not committed yet adds."""

    fragment: Fragment
    domain: Judge[Any, Any]
    by_entity: dict[str, tuple[bytes, list[tuple[Any, Row]]]]
    after: dict[str, bytes]


class SkewProbe:
    """Of one process. Observes only: no decision depends on it."""

    def __init__(self, tell: Callable[[Found], None], every: int = EVERY) -> None:
        """`tell` is told after each look."""
        self._tell, self._every = tell, every
        self._pending: dict[tuple[str, int], _Pending] = {}
        self._stretches: OrderedDict[str, _Stretch] = OrderedDict()
        self._compared = self._differing = 0
        self._told = ""

    def scored(
        self,
        fragment: Fragment,
        parsed: Parsed[Any],
        states: Mapping[str, Entry],
        outcomes: Outcomes,
        domain: Judge[Any, Any],
    ) -> None:
        """A batch was decided, and is not committed."""
        chosen = [row for row in outcomes.decisions if not crc32(row.entity.encode()) % self._every]
        place = fragment.topic, fragment.partition
        self._pending.pop(place, None)
        if not chosen or parsed.share is not None:
            return
        events = {offset: event for offset, _, event in parsed.events}
        by_entity: dict[str, tuple[bytes, list[tuple[Any, Row]]]] = {}
        for row in chosen:
            stored = _decode(row.body)
            own = by_entity.setdefault(row.entity, (states[row.entity].blob, []))[1]
            features = tuple(nan if one is None else one for one in stored.features)
            own.append((events[stored.offset], features))
        after = {row.entity: row.blob for row in outcomes.states if row.entity in by_entity}
        self._pending[place] = _Pending(fragment, domain, by_entity, after)

    def committed(self, fragment: Fragment) -> None:
        """What was decided of this batch is stored, and its states."""
        pending = self._pending.pop((fragment.topic, fragment.partition), None)
        if pending is None or pending.fragment != fragment:
            return
        for entity, (before, rows) in pending.by_entity.items():
            stretch = self._stretches.pop(entity, None)
            if stretch is None or stretch.last != before:
                stretch = _Stretch(before)
            stretch.events += rows
            stretch.last = pending.after[entity]
            if len(stretch.events) >= KEPT:
                self._look(pending.domain, entity, stretch)
                stretch = _Stretch(stretch.last)
            self._stretches[entity] = stretch
            if len(self._stretches) > MOST:
                self._stretches.popitem(last=False)

    def _look(self, domain: Judge[Any, Any], entity: str, stretch: _Stretch) -> None:
        second = second_of(domain)
        place = None if second is None else place_in(domain, second)  # type: ignore[arg-type]
        told: Row = ()
        advance = advance_of(domain, lambda event: told)
        state = domain.new_state()
        if stretch.base:
            codec: EnvelopeCodec[Any] = EnvelopeCodec(domain.state, domain.new_state)
            state = codec.decode(stretch.base, entity).body
        for event, live in stretch.events:
            told = live[place] if place is not None else ()
            again = tuple(map(float, advance(state, event)[0]))
            self._compared += 1
            if not _same(live, again):
                self._differing += 1
                self._told = self._told or _sentence(domain, entity, event, live, again)
        self._tell(Found(self._compared, self._differing, self._told))


def _same(one: Row, other: Row) -> bool:
    return len(one) == len(other) and all(
        a == b or (isnan(a) and isnan(b)) for a, b in zip(one, other, strict=True)
    )


def _sentence(domain: Any, entity: str, event: Any, live: Row, again: Row) -> str:
    names = getattr(domain, "feature_names", ())
    if len(live) != len(again):
        what = f"{len(live)} features live, {len(again)} computed again"
    else:
        at = next(at for at, (a, b) in enumerate(zip(live, again, strict=True)) if a != b)
        name = names[at] if at < len(names) else f"feature {at}"
        what = f"{name} is {live[at]:.10g} live, {again[at]:.10g} computed again"
    return (
        f"Features that are stored are not those of training: of {event.id} of {entity} {what} "
        "from the same events. A model is then given what it was not trained on. Compare the whole "
        "log: ./stormwatch replay; and report it, with both versions of the code"
    )
