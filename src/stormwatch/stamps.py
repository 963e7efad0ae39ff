"""Cassandra write timestamps made of what Kafka and the spout say, so that zombies lose.

Last write wins in Cassandra by these numbers, never by a clock: a process that was replaced but
writes late carries an older epoch, generation, attempt or offset. All lie below 2**50, far below
wall-clock microseconds (2**50.6 in 2026), so that an operator's DELETE still wins.
"""

from stormwatch.errors import TopicError
from stormwatch.records import Fragment

EPOCHS = 1 << 14
"""Epochs a topic may have."""
_OFFSETS = 1 << 36
_GENERATION_MAX = (1 << 24) - 1
_ATTEMPT_MAX = (1 << 12) - 1


def outcome_stamp(fragment: Fragment) -> int:
    """Timestamp of decisions, alerts, set-aside rows and the ledger row of one try at a fragment.

    Rises with (epoch, generation, attempt); the last two stay at their greatest value once there,
    where all tries write the same bytes anyway. Raises TopicError for an epoch out of range.
    """
    generation = min(fragment.generation, _GENERATION_MAX)
    return _epoch(fragment.epoch) | generation << 12 | min(fragment.attempt, _ATTEMPT_MAX)


def state_stamp(epoch: int, offset: int) -> int:
    """Timestamp of a state whose last applied record is `offset`: rises with (epoch, offset).

    Raises TopicError for an epoch or offset out of range.
    """
    if not 0 <= offset < _OFFSETS - 1:
        raise TopicError(
            f"offset {offset} cannot be ordered: a partition may hold up to {_OFFSETS - 1} "
            "records. Add partitions or continue with a new topic."
        )
    return _epoch(epoch) | offset + 1


def _epoch(epoch: int) -> int:
    if not 0 <= epoch < EPOCHS:
        raise TopicError(
            f"epoch {epoch} cannot be ordered: there are {EPOCHS}. The topic was made again or "
            "given partitions too often; continue with a topic of another name."
        )
    return epoch << 36
