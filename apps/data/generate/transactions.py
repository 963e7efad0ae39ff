"""Endless card transactions of customers, some of them frauds. Format: schema/transactions.md.

Our own simulator, of the kind of Le Borgne et al., "Reproducible Machine Learning for Credit Card
Fraud Detection", chapter 3: each customer has a mean amount, a rate and a home; terminals are
numbered along a street, and one pays near home. Half of the customers spend about alike each time,
the others small amounts and now and then a large one. Under half a percent of the payments are
frauds, planted and labelled:

- LARGE: a single large amount;
- TERMINAL: for 28 days half of what passes through a compromised terminal, somewhat larger;
- LEAKED: for 14 days a third of a card's payments have five times the amount, and now and then
  the card is used several times within the hour, anywhere;
- TESTING: a stolen card is tried with many tiny payments, and then used for one or two large ones;
- TRAVEL: minutes after its owner paid at home, the card pays far away;
- TAKEOVER: within hours an account makes a row of larger payments at terminals where it never was;
- MULE: many customers are talked into larger payments to one account, which is new.

`apps.data.generate.labels` makes the records that tell of them, LABEL_DELAY later.

Nothing here depends on the clock: the same arguments give the same bytes.
"""

import time
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from re import fullmatch
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from apps.data.kinds import FeedOptions

DAY = 86_400_000
LABEL_DELAY = 7 * DAY
"""After so long a fraud is known, ms."""
START = 1_262_304_000_000
"""2010-01-01T00:00Z, ms. Simulated time runs faster than the wall's: start far in the past."""
BLOCK = 4096  # transactions made at once

Ints = NDArray[np.int64]
Cents = NDArray[np.float64]


class Fraud(IntEnum):
    """The label: which fraud was planted."""

    NONE = 0
    LARGE = 1
    TERMINAL = 2
    LEAKED = 3
    TESTING = 4
    TRAVEL = 5
    TAKEOVER = 6
    MULE = 7


class Generated(NamedTuple):
    """One transaction for the topic, and what a simulator knows beside it."""

    key: bytes
    value: bytes
    label: int  # a Fraud


class Block(NamedTuple):
    """Transactions as columns, in order of event time."""

    time: Ints  # ms
    customer: Ints
    terminal: Ints
    amount: Ints  # cents
    label: Ints


_TAILED = 0.5  # of the customers: their amounts are log-normal, with now and then a large one
_LARGE_SHARE = 0.0003
_BURSTS = {  # a block, on average
    Fraud.LEAKED: 0.12, Fraud.TESTING: 0.2, Fraud.TRAVEL: 0.5, Fraud.TAKEOVER: 0.25,
    Fraud.MULE: 0.12,
}  # fmt: skip
_LEAKS = 1 / 5000  # cards newly leaked a day, of all
_TAPPED = 0.5 / 10_000  # terminals newly compromised a day, of all
_NEAR = 50  # terminals to either side of home
_COUNTRIES = ("BE", "DE", "ES", "FR", "IT", "LU", "NL", "PT")
_SHOPS = ("Bakery", "Books", "Cinema", "Electronics", "Fuel", "Garden", "Grocery", "Hotel",
          "Pharmacy", "Railway", "Restaurant", "Shoes", "Sports", "Toys")  # fmt: skip

_ATTACKS = {  # payments from and below, and seconds between them at most
    Fraud.LEAKED: (4, 11, 300), Fraud.TESTING: (6, 13, 120), Fraud.TRAVEL: (2, 4, 2_400),
    Fraud.TAKEOVER: (5, 10, 2_400), Fraud.MULE: (8, 20, 1_800),
}  # fmt: skip

# The day's profile: a tenth spread evenly, the rest normal around noon (deviation 20,000 s).
_GRID = np.linspace(0, DAY, 289)
_PROFILE = 0.1 / DAY + 0.9 * np.exp(-(((_GRID - DAY / 2) / 20e6) ** 2) / 2) / 49.0e6
_SHARE = np.concatenate(([0], np.cumsum((_PROFILE[1:] + _PROFILE[:-1]) / 2)))
_EVEN = _SHARE / _SHARE[-1] * DAY


class Transactions:
    """An endless iterator of `Generated`, about 5 µs each.

    `run` is in every id: two runs share customers, never ids. `per_day` is the mean number of
    transactions of a customer a day; event time advances accordingly, from `start` (ms), with a
    daily rhythm. `uniform` gives all customers the same rate. From `ceiling` on (ms, say the
    wall's time) event time only creeps nearer and never gets there: an endless run is never in the
    future. Raises ValueError for values that make no stream.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        run: str = "r1",
        customers: int = 5_000,
        per_day: float = 2.0,
        start: int = START,
        uniform: bool = False,
        ceiling: int | None = None,
    ) -> None:
        if customers < 1 or not 0 < per_day <= 1000:
            raise ValueError(f"{customers} customers with {per_day} transactions a day: no stream")
        self._seed, self._run, self._ceiling = seed, run, ceiling
        self._customers, self._terminals = customers, 2 * customers
        if not fullmatch(r"[A-Za-z0-9._-]{1,32}", run):
            raise ValueError(f"run {run!r}: up to 32 letters, digits, dots, dashes, underscores")
        world = np.random.default_rng([seed, 0])
        self._home = world.integers(self._terminals, size=customers)
        self._mean = world.uniform(500, 10_000, customers)  # cents
        rates = np.cumsum(world.uniform(0, 2, customers))
        tail = world.uniform(0.3, 1.0, customers)
        self._tail = np.where(world.random(customers) < _TAILED, tail, 0.0)
        self._rates = None if uniform else rates / rates[-1]
        self._step = DAY / (customers * per_day)
        self._blocks = self._sent = 0
        self._drawn = lru_cache(4)(self._draw)
        self.continue_from(start)

    def continue_from(self, time: int) -> None:
        """Go on with events at `time` (ms) and later; with the end of another run, in its world."""
        self.time = time
        self._even = time - time % DAY + float(np.interp(time % DAY, _GRID, _EVEN))

    def __iter__(self) -> Iterator[Generated]:
        shops = [
            f'"currency":"EUR","merchant":"{shop}","country":"{country}"}}'
            for country in _COUNTRIES
            for shop in _SHOPS
        ]
        while True:
            block = self.block()
            place = block.terminal % self._terminals
            kind = place * len(_COUNTRIES) // self._terminals * len(_SHOPS)
            kind += block.terminal % len(_SHOPS)
            stamps = np.datetime_as_string(block.time.astype("datetime64[ms]"), unit="ms")
            head = f'{{"type":"transaction","id":"{self._run}-'
            columns = (block.customer, block.terminal, stamps, block.amount, kind, block.label)
            for customer, terminal, stamp, amount, shop, label in zip(
                *(column.tolist() for column in columns), strict=True
            ):
                self._sent += 1
                name = f"C{customer:07d}"
                value = (
                    f'{head}{self._sent}","customer":"{name}","terminal":"T{terminal:07d}",'
                    f'"time":"{stamp}Z","amount":{amount},{shops[shop]}'
                )
                yield Generated(name.encode(), value.encode(), label)

    def countries(self, terminals: Ints) -> list[str]:
        """Where they stand."""
        place = terminals % self._terminals * len(_COUNTRIES) // self._terminals
        return [_COUNTRIES[at] for at in place.tolist()]

    def block(self) -> Block:
        """The next transactions as columns. `time` is then the event time of the last one."""
        rng = np.random.default_rng([self._seed, 1, crc32(self._run.encode()), self._blocks])
        self._blocks += 1
        step = self._step
        if self._ceiling is not None:
            left = self._ceiling - DAY - self._even
            step = min(step, max(0.0, left) / (4 * BLOCK))
        even = self._even + step * (np.arange(BLOCK) + rng.random(BLOCK))
        self._even += step * BLOCK
        time = (even // DAY * DAY + np.interp(even % DAY, _EVEN, _GRID)).astype(np.int64)
        time = np.maximum(time, self.time)
        self.time = int(time[-1])
        if self._rates is None:
            customer = rng.integers(self._customers, size=BLOCK)
        else:
            customer = self._rates.searchsorted(rng.random(BLOCK), side="right")
        terminal = (self._home[customer] + rng.integers(-_NEAR, _NEAR, BLOCK)) % self._terminals
        mean = self._mean[customer]
        amount = rng.normal(mean, mean / 2)
        amount = np.where(amount > 0, amount, rng.uniform(0, 2 * mean))
        tail = self._tail[customer]
        skewed = mean * np.exp(tail * rng.standard_normal(BLOCK) - tail**2 / 2)
        amount = np.where(tail > 0, skewed, amount)
        label = self._plant(rng, time, customer, terminal, amount)
        cents = np.maximum(amount.round(), 1).astype(np.int64)
        return Block(time, customer, terminal, cents, label)

    def _plant(
        self, rng: np.random.Generator, time: Ints, customer: Ints, terminal: Ints, amount: Cents
    ) -> Ints:
        """Turn some transactions into frauds, in place; the labels of all."""
        day = int(time[0] // DAY)
        label = np.zeros(BLOCK, np.int64)
        large = rng.random(BLOCK) < _LARGE_SHARE
        amount[large] = rng.uniform(60_000, 300_000, BLOCK)[large]
        label[large] = Fraud.LARGE
        tapped = self._drawn(3, day, 28, self._terminals, _TAPPED)[terminal] & (
            rng.random(BLOCK) < 0.5
        )
        amount[tapped] *= rng.uniform(1, 3, BLOCK)[tapped]
        label[tapped] = Fraud.TERMINAL
        leaked = self._drawn(2, day, 14, self._customers, _LEAKS)
        used = leaked[customer] & (rng.random(BLOCK) < 1 / 3)
        amount[used] *= 5
        label[used] = Fraud.LEAKED
        for kind, a_block in _BURSTS.items():
            for nth in range(rng.poisson(a_block)):
                self._burst(rng, kind, nth, time, customer, terminal, amount, label)
        return label

    def _burst(
        self, rng: np.random.Generator, kind: Fraud, nth: int, time: Ints, customer: Ints,
        terminal: Ints, amount: Cents, label: Ints,
    ) -> None:  # fmt: skip
        """One attack: rows near its moments become its payments, in place."""
        least, most, apart_s = _ATTACKS[kind]
        first = int(rng.integers(BLOCK))
        gaps = rng.uniform(apart_s / 4, apart_s, int(rng.integers(least, most))) * 1000
        at = np.unique(time.searchsorted(time[first] + np.cumsum(gaps).astype(np.int64)))
        at = at[at < BLOCK]
        size = len(at)
        if not size:
            return
        victim = int(rng.integers(self._customers))
        if kind == Fraud.TRAVEL:
            victim = int(customer[first])
            where = self._home[victim] + self._terminals // 2 + rng.integers(-_NEAR, _NEAR, size)
            times = rng.uniform(0.5, 3, size)
        elif kind == Fraud.TESTING:
            where = np.repeat(rng.integers(self._terminals), size)
            times = rng.uniform(50, 300, size) / self._mean[victim]
            times[-2:] = rng.uniform(3, 8, size)[-2:]
        else:
            where = rng.integers(self._terminals, size=size)
            times = rng.uniform(*(0.5, 5) if kind == Fraud.LEAKED else (1.5, 5), size)
        if kind == Fraud.MULE:
            customer[at] = rng.integers(self._customers, size=size)
            where = np.repeat(self._terminals + int(time[first] // DAY) * 8 + nth, size)
            times = rng.uniform(2.5, 6, size)
        else:
            customer[at] = victim
        terminal[at] = where if kind == Fraud.MULE else where % self._terminals
        amount[at] = self._mean[customer[at]] * times
        label[at] = kind

    def _draw(self, what: int, day: int, days: int, size: int, a_day: float) -> NDArray[np.bool_]:
        """What was drawn on `day` or one of the `days` before it, the same in every run."""
        marked = np.zeros(size, np.bool_)
        for drawn in range(day - days + 1, day + 1):
            rng = np.random.default_rng([self._seed, what, drawn])
            marked[rng.integers(size, size=rng.poisson(size * a_day))] = True
        return marked


def feed(asked: FeedOptions) -> Iterator[Generated]:
    """For `publish` and `run`: goes on in time, up to now."""
    start = START if asked.newest is None else asked.newest + 1
    ceiling = int(time.time() * 1000)
    return iter(
        Transactions(
            asked.seed, run=asked.run, customers=asked.customers, start=start, ceiling=ceiling
        )
    )
