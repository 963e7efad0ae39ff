"""One event at the items: what each is asked, what it learns, what it answers. Pure.

The first item asked is no item: `everyone` of a Kafka partition, whose neighbours are what is
popular. A hash spreads users over partitions, so each one's sample is fair and no key is hot.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from stormwatch.codec import Parsed
from stormwatch.domains.recommend.history import RoundPlan, pair_weight
from stormwatch.domains.recommend.neighbours import SIZE, Answer, ItemState, best, learn
from stormwatch.domains.recommend.ranking import asked
from stormwatch.records import Fragment, StateRow
from stormwatch.state import envelope as known
from stormwatch.state.cache import Entry
from stormwatch.state.envelope import Envelope, EnvelopeCodec
from stormwatch.state.write_timestamps import state_stamp

ITEMS = "recommend.items"
"""The domain of the items' states."""
POPULAR_SIZE = 256
ANSWERED = 30
"""Neighbours that an item tells of."""
POPULAR_ANSWERED = 40


class Named(NamedTuple):
    """As much of a domain as loading its states takes."""

    name: str


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """What one event (an offset) has to say to one item, and asks of it."""

    offset: int
    time: int  # the event's, ms
    name: str  # of the item, or `everyone`; the key of the state
    learned: list[tuple[str, int]]  # neighbours and weights, to be counted once

    @property
    def entity(self) -> str:
        return self.name


class Told(msgspec.Struct, frozen=True, array_like=True):
    """The answer to an `Ask`."""

    offset: int
    name: str
    answer: Answer


def everyone(partition: int) -> str:
    """The key under which a partition's popular items are kept: never an item, by its space."""
    return f" {partition}"


def asks(plan: RoundPlan, partition: int, offset: int) -> list[Ask]:
    """All that an event says and asks: of everyone, of its item, of the items touched before.

    Each item of the pair (this event's, one touched before) counts the other.
    """
    own, *before = asked(plan.recent)
    time = own.time
    pairs = [(touch, pair_weight(own, touch)) for touch in before]
    told = [(touch.item, weight) for touch, weight in pairs if weight]
    return [
        Ask(offset, time, everyone(partition), [(own.item, own.strength)] if own.strength else []),
        Ask(offset, time, own.item, told),
        *(
            Ask(offset, time, touch.item, [(own.item, weight)] if weight else [])
            for touch, weight in pairs
        ),
    ]


def take(state: ItemState, ask: Ask, *, decided: bool) -> Told:
    """Learn what the ask tells, unless that was `decided` before, and answer it."""
    popular = ask.name.startswith(" ")
    if not decided:
        for other, weight in ask.learned:
            learn(state, other, weight, ask.time, POPULAR_SIZE if popular else SIZE)
    return Told(ask.offset, ask.name, best(state, POPULAR_ANSWERED if popular else ANSWERED))


class Answers(NamedTuple):
    """What a shard of items makes of its asks."""

    told: list[Told]
    states: list[StateRow]  # to be written before anything is told


class Items:
    """The items' state contract: asks in offset order, on copies, each counted once by its mark.

    In shape a `stormwatch.state.processor.Contract`, for `score.ScoreStep` to load and cache
    states with; but an ask is never refused and leaves no decision: what it is answered goes into
    the user's.
    """

    def __init__(self) -> None:
        self.domain = Named(ITEMS)
        self._codec: EnvelopeCodec[ItemState] = EnvelopeCodec(ItemState)

    def apply(
        self, fragment: Fragment, parsed: Parsed[Ask], states: Mapping[str, Entry], now: int
    ) -> Answers:
        """Answer a batch of asks. Raises StateError for a state of another version."""
        copies: dict[str, Envelope[ItemState]] = {}
        touched: dict[str, Envelope[ItemState]] = {}
        told = []
        for offset, _, ask in parsed.events:
            name = ask.name
            copy = copies.get(name)
            if copy is None:
                copy = copies[name] = self._open(name, states[name])
            decided = known.is_decided(copy.marks, fragment.partition, fragment.epoch, offset)
            told.append(take(copy.body, ask, decided=decided))
            if ask.learned:  # written again also where it was: see `Contract`
                touched[name] = copy
            if ask.learned and not decided:
                known.advance_marks(copy.marks, fragment.partition, fragment.epoch, offset)
                copy.stamp = max(copy.stamp + 1, state_stamp(fragment.epoch, offset))
                copy.newest = max(copy.newest, ask.time)
        rows = [
            StateRow(states[name].stripe, name, self._codec.encode(copy), copy.stamp)
            for name, copy in touched.items()
        ]
        return Answers(told, rows)

    def _open(self, name: str, entry: Entry) -> Envelope[ItemState]:
        if not entry.blob:
            return Envelope(known.VERSION, entry.floor, [], 0, b"", ItemState())
        envelope = self._codec.decode(entry.blob, name)
        envelope.stamp = max(envelope.stamp, entry.floor + 1)
        return envelope
