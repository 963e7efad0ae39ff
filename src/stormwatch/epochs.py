"""Numbers for what a topic has been: the epoch, and within it the incarnation.

An epoch rises when partitions are added and when the topic is deleted and made again. Only the
second starts offsets anew, so it has bits of its own: the incarnation, `epoch >> 5`. Marks of one
incarnation stay valid when partitions are added.
"""

from stormwatch.errors import TopicError

_RESIZE_BITS = 5


def incarnation(epoch: int) -> int:
    """The part of an epoch that rises only when the topic was deleted and made again."""
    return epoch >> _RESIZE_BITS


def next_epoch(epoch: int, *, recreated: bool) -> int:
    """The epoch after a change of the topic. Raises TopicError where no number is left."""
    if recreated:
        return incarnation(epoch) + 1 << _RESIZE_BITS
    if incarnation(epoch + 1) != incarnation(epoch):
        raise TopicError(
            f"partitions were added {(1 << _RESIZE_BITS) - 1} times to one topic: there is no "
            "number left to tell old offsets from new ones. Continue with a new topic."
        )
    return epoch + 1
