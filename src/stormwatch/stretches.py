"""Stretches: what was read of one partition of a log, from an offset on, without a gap. Pure.

A mark proves something only within its stretch: that every record of its entity from the stretch's
first offset to the mark was applied. Why, and what follows: docs/decisions/0007.
"""

from collections.abc import Iterable, Sequence

import msgspec

from stormwatch.epochs import incarnation
from stormwatch.records import Fingerprint

OPEN = 1 << 62
"""The end of what has none."""
FIRST_INCARNATION = 64
"""Lower ones were counted by each topic for itself, before the keyspace gave them out."""


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of one partition. Offsets `skipped` to `first` - 1 were passed by hand."""

    partition: int
    incarnation: int
    nth: int  # of this log; the first is 0
    first: int
    skipped: int
    believed_to: int = OPEN  # exclusive: from there on the log was written anew
    decided_to: int = 0  # below it the ledger is believed instead of older stretches' marks
    generation: int = 0  # the greatest under which it was read
    position: int = 0  # at least everything from `first` to here is decided
    fingerprints: tuple[Fingerprint, ...] = ()  # ascending

    def of(self, epoch: int) -> bool:
        """Whether what has this epoch belongs to it."""
        return incarnation(epoch) == self.incarnation


def with_fingerprint(
    fingerprints: Sequence[Fingerprint], new: Fingerprint
) -> tuple[Fingerprint, ...]:
    """A newer one and the old; of those at a distance of 2**n to 2**(n+1) - 1 the outer two."""
    kept: dict[int, list[Fingerprint]] = {}
    for fingerprint in sorted(fingerprints, key=lambda fingerprint: fingerprint.offset):
        if (distance := new.offset - fingerprint.offset) > 0:
            some = kept.setdefault(distance.bit_length(), [])
            some[1:] = [fingerprint] if some else []
            some[:1] = some[:1] or [fingerprint]
    return (*(fingerprint for some in kept.values() for fingerprint in some), new)


def newest(stretches: Iterable[Stretch]) -> Stretch | None:
    """The one that was read last."""
    return max(stretches, key=lambda stretch: stretch.incarnation, default=None)


def believed(others: Sequence[Stretch], own: Stretch) -> tuple[tuple[int, int, int], ...]:
    """As `records.Fragment.believed` has it: where the marks of other stretches prove something.

    That is where the log is what was read, but for what a later stretch decided again.
    """
    found = []
    for each in others:
        spans = [(each.first, each.believed_to)]
        for again in (*others, own):
            if again.incarnation > each.incarnation and again.decided_to:
                cut = (again.first, again.decided_to)
                spans = [part for span in spans for part in without(span, cut)]
        found += [(each.incarnation, low, high) for low, high in spans]
    return tuple(found)


def without(span: tuple[int, int], other: tuple[int, int]) -> list[tuple[int, int]]:
    """A range of offsets (first, end) less another."""
    parts = [(span[0], min(span[1], other[0])), (max(span[0], other[1]), span[1])]
    return [(low, high) for low, high in parts if low < high]


def joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges (first, end) ascending, those that touch as one."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return tuple(out)
