"""What is remembered of a user: the last items and, as digests, what was bought or rated.

A few hundred bytes: RECENT items with time and strength, and 6 bytes for each of the last OWNED
bought or rated items (two of them collide once in 2**48 pairs).
"""

from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from stormwatch.domains.recommend.event import VIEW, Behaviour, Kind

RECENT = 10
"""Items that a user's taste is read from; the one touched last stands last."""
OWNED = 400
"""Bought or rated items that are never shown again; beyond that the oldest is forgotten."""
DAY = 86_400_000
_DIGEST = 6
_PAIR = 16  # of two views on one day; halves with each day between


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """An item, when it was touched last, and the strongest thing done with it."""

    item: str
    time: int  # ms
    kind: Kind
    strength: int


class UserState(msgspec.Struct, array_like=True):
    """All that is known of one user."""

    recent: list[Touch] = []
    owned: bytes = b""


class RoundPlan(msgspec.Struct, frozen=True, array_like=True):
    """What one event wants of the items: `recent` in the order touched, newest (its own) last."""

    recent: list[Touch]
    owned: bytes


def remember(state: UserState, event: Behaviour) -> RoundPlan:
    """Learn `event`, in place; what is known with it."""
    touch = Touch(event.item, event.time, event.kind, event.strength)
    rest = [t for t in state.recent if t.item != event.item]
    before = next((t for t in state.recent if t.item == event.item), touch)
    if before.strength > touch.strength > 0:
        touch = replace(before, time=max(before.time, event.time))
    state.recent = [*rest, touch][-RECENT:]
    digest = digest_of(event.item)
    if event.kind != VIEW and not owns(state.owned, digest):
        state.owned = (state.owned + digest)[-OWNED * _DIGEST :]
    return RoundPlan(state.recent, state.owned)


def pair_weight(one: Touch, other: Touch) -> int:
    """How much it says that one user touched both: an integer, 0 where they lie days apart."""
    days = abs(one.time - other.time) // DAY
    return one.strength * other.strength * _PAIR >> min(days, 32)


def digest_of(item: str) -> bytes:
    """What stands for an item among the owned ones."""
    return blake2b(item.encode(), digest_size=_DIGEST).digest()


def owns(owned: bytes, digest: bytes) -> bool:
    """Whether a digest is among them."""
    at = owned.find(digest)
    while at >= 0 and at % _DIGEST:
        at = owned.find(digest, at + 1)
    return at >= 0
