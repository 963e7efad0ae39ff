"""Numbers for what a log has been: the epoch, and within it the incarnation.

An epoch is made of an incarnation, which the keyspace gives to one stretch of one log and never
again (`stormwatch.stretches`), and of how often partitions were added to the log: `epoch >> 5` and
the rest. Marks of one incarnation stay valid when partitions are added.
"""

from stormwatch.errors import TopicError

_RESIZE_BITS = 5


def incarnation(epoch: int) -> int:
    """The part of an epoch that names a stretch of a log."""
    return epoch >> _RESIZE_BITS


def same_incarnation(one: int, other: int) -> bool:
    """Whether two epochs are of one incarnation."""
    return incarnation(one) == incarnation(other)


def epoch_of(number: int, resizes: int) -> int:
    """The epoch of an incarnation after so many resizes. Raises TopicError where none is left."""
    if not 0 <= resizes < 1 << _RESIZE_BITS:
        raise TopicError(
            f"partitions were added {(1 << _RESIZE_BITS) - 1} times to one topic: there is no "
            "number left to distinguish old offsets from new ones. Continue with a new topic."
        )
    return number << _RESIZE_BITS | resizes


def all_of(number: int) -> range:
    """Every epoch that an incarnation may have."""
    return range(number << _RESIZE_BITS, number + 1 << _RESIZE_BITS)


def resizes_of(epoch: int) -> int:
    """How often partitions had been added to the log."""
    return epoch & (1 << _RESIZE_BITS) - 1
