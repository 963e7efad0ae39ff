"""Endless views, purchases and ratings of users with planted tastes. Format: schema/behaviour.md.

Items belong to taste groups. A user likes three of them, unequally, and now and then swaps one for
another (drift). A user comes in sessions: one of the user's groups, a handful of items of it;
about one in five events is instead what is in fashion with everybody. What is in fashion, in a
group and at large, moves on with time. What is viewed may be bought, once; what was bought, rated.
Nothing here depends on the clock: the same arguments give the same bytes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from re import fullmatch
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.data.kinds import FeedOptions

DAY = 86_400_000
START = 1_262_304_000_000
"""2010-01-01T00:00Z, ms. Simulated time runs faster than the wall's: start far in the past."""
ANYWHERE = 0.2
"""Share of events that follow no taste, but what is in fashion with everybody."""
FASHION_DAYS = 60
"""In so many days as many pairs of items change places in a fashion as there are items in it."""
LIKES = (0.6, 0.9, 1.0)  # cumulative shares of a user's three groups
BUYS, RATES, SWAPS = 0.18, 0.5, 1 / 15  # of views, of purchases, a session
SESSION = (2, 7)  # views
SESSIONS_A_DAY = 0.5  # of a user


class Generated(NamedTuple):
    """One record for the topic, and what a simulator knows beside it."""

    key: bytes
    value: bytes
    taste: int  # label: the group that the user was following; -1: fashion


class _World:
    """Items with their fashion, users with their tastes."""

    def __init__(self, rng: np.random.Generator, users: int, items: int, groups: int) -> None:
        self._rng = rng
        self._groups, self._size = groups, items // groups
        self.tastes: list[list[int]] = [rng.permutation(groups)[:3].tolist() for _ in range(users)]
        self._wide: list[int] = rng.permutation(items).tolist()
        self._narrow: list[list[int]] = [
            (group * self._size + rng.permutation(self._size)).tolist() for group in range(groups)
        ]
        self._wide_shares, self._narrow_shares = _zipf(items), _zipf(self._size)

    def taste_of(self, user: int) -> int:
        """The group of this user's next session; sometimes a taste the user has only now."""
        rng, tastes = self._rng, self.tastes[user]
        if rng.random() < SWAPS:
            tastes[rng.integers(3)] = int(rng.integers(self._groups))
        draw = rng.random()
        return tastes[int(draw >= LIKES[0]) + int(draw >= LIKES[1])]

    def pick(self, taste: int) -> int:
        """An item in fashion: of the group, or (-1) of all."""
        draw = self._rng.random()
        if taste < 0:
            return self._wide[int(self._wide_shares.searchsorted(draw))]
        return self._narrow[taste][int(self._narrow_shares.searchsorted(draw))]

    def move_on(self, span: float) -> None:
        """Fashion after `span` ms: so many pairs in each order changed places."""
        for order in (self._wide, *self._narrow):
            for _ in range(self._rng.poisson(len(order) * span / (FASHION_DAYS * DAY))):
                one, other = self._rng.integers(len(order), size=2).tolist()
                order[one], order[other] = order[other], order[one]


def _zipf(size: int) -> NDArray[np.float64]:
    weights = 1 / (np.arange(size) + 3.0)
    shares: NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    shares[-1] = 1.0
    return shares


def behaviour(
    seed: int,
    *,
    run: str = "r1",
    users: int = 2_000,
    items: int = 1_000,
    groups: int = 25,
    start: int = START,
) -> Iterator[Generated]:
    """Events of `users` about `items` in `groups` of equal size, without end, in order of time.

    `start` is ms; `run` is in every id: two runs share users and items, never ids. Raises
    ValueError for numbers that make no stream.
    """
    if users < 1 or groups < 3 or items < groups:
        raise ValueError(f"{users} users, {items} items in {groups} groups: no stream")
    if not fullmatch(r"[A-Za-z0-9._-]{1,32}", run):
        raise ValueError(f"run {run!r}: up to 32 letters, digits, dots, dashes, underscores")
    rng = np.random.default_rng(seed)
    world = _World(rng, users, items, groups)
    bought: list[set[int]] = [set() for _ in range(users)]
    encode = msgspec.json.Encoder().encode
    time, sent = float(start), 0
    pending: list[tuple[float, int, int, int]] = []  # time, user, taste, views left
    gap = DAY / (users * SESSIONS_A_DAY)
    opening = time + rng.exponential(gap)
    while True:
        # The next view of a session that is open, or the first of a new one.
        at = min(range(len(pending)), key=pending.__getitem__, default=-1)
        if at >= 0 and pending[at][0] <= opening:
            now, user, taste, left = pending.pop(at)
        else:
            user = int(rng.integers(users))
            now, taste, left = opening, world.taste_of(user), int(rng.integers(*SESSION))
            opening += rng.exponential(gap)
        world.move_on(now - time)
        time = now
        follows = -1 if rng.random() < ANYWHERE else taste
        item = world.pick(follows)
        acts: list[tuple[str, int]] = [("view", 0)]
        if item not in bought[user] and rng.random() < BUYS:
            bought[user].add(item)
            acts.append(("buy", 0))
            if rng.random() < RATES:
                acts.append(
                    ("rate", int(rng.integers(3, 6) if follows >= 0 else rng.integers(1, 6)))
                )
        for nth, (action, rating) in enumerate(acts):
            sent += 1
            stamp = datetime.fromtimestamp((int(time) + nth) / 1000, UTC)
            value: dict[str, Any] = {
                "type": "behaviour", "id": f"{run}-{sent}", "user": f"U{user:06d}",
                "time": stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "action": action, "item": f"I{item:05d}",
            }  # fmt: skip
            if rating:
                value["rating"] = rating
            yield Generated(value["user"].encode(), encode(value), follows)
        if left > 1:
            pending.append((time + float(rng.exponential(120_000)) + 10, user, taste, left - 1))


def feed(asked: FeedOptions) -> Iterator[Generated]:
    """For `publish` and `run`: goes on in time."""
    start = START if asked.newest is None else asked.newest + 1
    return behaviour(asked.seed, run=asked.run, start=start)
