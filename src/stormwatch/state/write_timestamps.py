"""Cassandra write timestamps made of what Kafka and the spout say, so that zombies lose.

Last write wins in Cassandra by these numbers, never by a clock: a process that was replaced but
writes late carries an older epoch, generation, attempt or offset. All lie below 2**50, far below
wall-clock microseconds (2**50.6 in 2026), so that an operator's DELETE still wins.
"""

from stormwatch.errors import StateError, TopicError
from stormwatch.records import Fragment

EPOCHS = 1 << 14
"""Epochs a topic may have."""
_EPOCH_SHIFT = 36
_OFFSETS = 1 << _EPOCH_SHIFT
_TERMS, _WRITES = 1 << 21, 1 << 28
"""Of processes with shared states; events of one term, after which a process takes another."""
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


def epoch_of(stamp: int) -> int:
    """The epoch in an `outcome_stamp`; EPOCHS or more of a row that a person wrote, by a clock."""
    return stamp >> _EPOCH_SHIFT


class Fence:
    """Timestamps of shared states, after a repartition, of one process: they rise as it writes.

    (epoch, offset) orders nothing there, for several partitions write one state. What a process of
    an earlier term sent, and what this one sent before, is below what is taken now: whenever it
    lands, it loses. Above every `state_stamp` of an epoch below 2**13: states that were written
    before there were terms are older.
    """

    def __init__(self, term: int | None = None) -> None:
        """`term`: greater than of any process before; None has no stamps. Raises StateError."""
        self._next = self._end = 0
        if term is None:
            return
        if not 0 <= term < _TERMS:
            raise StateError(
                f"term {term} cannot be ordered: processes that keep shared states were started "
                f"{_TERMS} times. Continue with another keyspace (cassandra.keyspace)."
            )
        self._next = (_TERMS + term) * _WRITES
        self._end = self._next + _WRITES

    def has(self, count: int) -> bool:
        """Whether `count` more are left; else take the next term."""
        return self._next + count < self._end

    def take(self, count: int) -> int:
        """The stamp below the next `count`."""
        taken, self._next = self._next, self._next + count
        return taken


def _epoch(epoch: int) -> int:
    if not 0 <= epoch < EPOCHS:
        raise TopicError(
            f"epoch {epoch} cannot be ordered: there are {EPOCHS}. The topic was made again or "
            "given partitions too often; continue with a topic of another name."
        )
    return epoch << _EPOCH_SHIFT
