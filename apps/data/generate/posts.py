"""Endless posts about brands, with planted spikes and angry posts. Wire format: schema/posts.md.

Authors write every two seconds of simulated time on average; most name a brand by @handle, #tag or
$ticker, some two, some none. Planted and labelled:

- ANGRY: a post that speaks to a brand and would be read as an outrage;
- SPIKE: for a quarter of an hour one brand is named as often as all the others together.

Nothing here depends on the clock: the same arguments give the same bytes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from random import Random
from typing import NamedTuple

import msgspec

from apps.data.kinds import FeedOptions

START = 1_325_376_000_000
"""2012-01-01T00:00Z, ms. Simulated time runs faster than the wall's: start far in the past."""
STEP_MS = 2_000
QUIET_MS = 4 * 3_600_000
SPIKE_MS = 900_000
ANGRY_SHARE = 0.004
BRANDS = (
    "aquila", "borealis", "cobalt", "dorado", "ember", "fjord", "garnet", "halcyon", "indigo",
    "juniper", "krypton", "lumen",
)  # fmt: skip

_CALM = (
    "just got my {tag} parcel today", "reading about {tag} on the train", "anyone using {tag}?",
    "{tag} has a shop near the station now", "I like the new colours of {tag}",
    "thanks {tag}, that was quick", "comparing {tag} with what I have", "{tag} opens at nine",
    "love my {tag}, best of the year", "the {tag} update is out", "{tag} again in the news",
)  # fmt: skip
_ANGRY = (
    "{tag} this is a disgrace, my order is broken and your support terrible. WORST service ever!",
    "I hate this, {tag}! You charged me twice and nobody answers. Awful, horrible, a total scam",
    "{tag} your app destroyed my data. I am furious, this is unacceptable and pathetic!!!",
)
_PLAIN = (
    "what a grey morning",
    "my tea is cold again",
    "train late, reading on",
    "good game last night",
)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Planted(IntEnum):
    """The label: what a post is part of."""

    NONE = 0
    ANGRY = 1
    SPIKE = 2


class Generated(NamedTuple):
    """One post for the topic, and what a simulator knows beside it."""

    key: bytes
    value: bytes
    label: int  # a Planted
    brand: str  # the first it names, "" if none


def posts(
    seed: int, *, run: str, authors: int = 5_000, start: int = START, step: int = STEP_MS,
    quiet: int = QUIET_MS,
) -> Iterator[Generated]:  # fmt: skip
    """Posts of a run in order of event time, from `start` on; `run` makes the ids new. `step`:
    between two posts on average; `quiet`: before the first spike, and between two. Times in ms."""
    rng = Random(seed)
    time, number = start, 0
    spike_at, spiking = time + quiet, ""
    popular = [1.0 / (1 + rank) for rank in range(len(BRANDS))]
    while True:
        rate = 2 if spiking else 1
        time += max(1, int(rng.expovariate(rate / step)))
        number += 1
        if time >= spike_at:
            spiking = "" if spiking else rng.choice(BRANDS[len(BRANDS) // 2 :])
            spike_at = time + (SPIKE_MS if spiking else int(quiet * rng.uniform(0.5, 1.5)))
        label, named, text = _write(rng, popular, spiking)
        author = f"u{rng.randrange(authors):05}"
        value = {
            "type": "post",
            "id": f"{run}-{number}",
            "author": author,
            "time": (_ZERO + timedelta(milliseconds=time)).isoformat().replace("+00:00", "Z"),
            "text": text,
        }
        yield Generated(author.encode(), _encode(value), label, named)


def _write(rng: Random, popular: list[float], spiking: str) -> tuple[int, str, str]:
    """(label, first brand, text) of one post."""
    if rng.random() < ANGRY_SHARE:
        brand = rng.choice(BRANDS)
        return Planted.ANGRY, brand, rng.choice(_ANGRY).format(tag=f"@{brand}")
    label = Planted.NONE
    if spiking and rng.random() < 0.5:
        label, brand = Planted.SPIKE, spiking
    elif rng.random() < 0.1:
        return Planted.NONE, "", rng.choice(_PLAIN)
    else:
        (brand,) = rng.choices(BRANDS, popular)
    text = rng.choice(_CALM).format(tag=rng.choice("@#$") + brand)
    if rng.random() < 0.15:
        text += f" #{rng.choice(BRANDS)}"
    return label, brand, text


def feed(asked: FeedOptions) -> Iterator[Generated]:
    """For `publish` and `run`: goes on in time."""
    start = START if asked.newest is None else asked.newest + 1
    return posts(asked.seed, run=asked.run, authors=asked.customers, start=start)
