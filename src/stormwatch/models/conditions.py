"""The working conditions that a model knows, and what is normal of each sensor in each of them.

A machine's sensors tell its wear only beside the condition in which it worked: a turbofan at sea
level and one at 42,000 feet differ by far more than a new and a worn one. A model therefore keeps,
with its card, the conditions of its training, each as a box around the settings that were seen, and
the mean and spread of a healthy machine's sensors there. Outside every box it knows nothing.
"""

from collections.abc import Sequence
from struct import pack
from zlib import crc32

import msgspec

UNKNOWN = -1
"""In place of a condition's number."""


class Condition(msgspec.Struct, frozen=True):
    """One condition, or regime."""

    settings: tuple[float, ...]  # the middle of what was seen of each; (): any settings
    reach: tuple[float, ...]  # how far from the middle each may be
    nominal: tuple[float, ...]  # of `sensors`: mean of healthy machines here
    noise: tuple[float, ...]  # of `sensors`: standard deviation of healthy machines here
    share: float  # of the training's readings


class Conditions(msgspec.Struct, frozen=True):
    """All that a model knows, in the order of their share."""

    sensors: tuple[str, ...]
    known: tuple[Condition, ...]

    @property
    def digest(self) -> int:
        """Of what is normal: states that were learned by another normal are not comparable."""
        values = [v for each in self.known for v in (*each.nominal, *each.noise)]
        return crc32(pack(f"<{len(values)}d", *values))


def find(known: Sequence[Condition], settings: Sequence[float]) -> int:
    """The number of the condition that these settings are in, or UNKNOWN.

    Settings that tell nothing (an empty sequence) are in a model's only condition, and unknown to a
    model of several. Boxes do not overlap; of two that do the first counts.
    """
    if not settings:
        return 0 if len(known) == 1 else UNKNOWN
    for number, each in enumerate(known):
        middle = each.settings
        if not middle:
            return number
        if len(settings) == len(middle):
            for value, centre, reach in zip(settings, middle, each.reach, strict=True):
                if not -reach <= value - centre <= reach:
                    break
            else:
                return number
    return UNKNOWN
