"""Traces of batches: which are told of, and the identity that every component derives alike.

A trace is one micro-batch from the spout's emit to its ack. Nothing of it travels with a tuple: who
holds a batch has its identity (topic, partition, epoch, first offset, generation), and trace and
span ids are hashes of that (W3C Trace Context: 16 and 8 bytes, never zero). A batch that is tried
again is a further try in the same trace.
"""

from hashlib import blake2b
from typing import NamedTuple

from stormwatch.records import Fragment


class Part(NamedTuple):
    """A step of a component's work on a batch; times are ns since 1970."""

    name: str
    began: int
    ended: int


def trace_id(fragment: Fragment) -> int:
    """Of all tries of the batch: 128 bits."""
    return _hashed(16, *_identity(fragment))


def span_id(fragment: Fragment, *names: str) -> int:
    """64 bits: of this try as a whole, or (`names`) of a component's work on it."""
    return _hashed(8, *_identity(fragment), fragment.attempt, *names)


def is_chosen(fragment: Fragment, every: int) -> bool:
    """Whether it is the one batch of `every` that is told of; all components agree."""
    return trace_id(fragment) % every == 0


def _identity(fragment: Fragment) -> tuple[object, ...]:
    return (
        fragment.topic, fragment.partition, fragment.epoch, fragment.first, fragment.generation,
    )  # fmt: skip


def _hashed(size: int, *parts: object) -> int:
    found = blake2b("\n".join(map(str, parts)).encode(), digest_size=size).digest()
    return int.from_bytes(found) or 1
