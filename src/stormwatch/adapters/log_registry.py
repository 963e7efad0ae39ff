"""How incarnations are given to logs, and resizes counted: what both stores share. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from stormwatch.epochs import epoch_of
from stormwatch.errors import TopicError
from stormwatch.state.write_timestamps import EPOCHS
from stormwatch.stretches import FIRST_INCARNATION

BY_GENERATION = (
    "nth", "first", "skipped", "believed_to", "decided_to", "generation",
)  # fmt: skip
"""Columns of a stretch of which the greatest generation's stand; of the others the position's."""


class Registered(NamedTuple):
    """An incarnation that was given out. `stream`: of a log that had it before; else ""."""

    incarnation: int
    stream: str
    log: str
    nth: int


def wanted(
    given: Sequence[Registered], log: str, nth: int, claim: tuple[int, str] | None
) -> Registered:
    """What the log has already, else what it may take, if nobody takes it in the meantime.

    Raises TopicError where no number is left.
    """
    for each in given:
        if (each.log, each.nth) == (log, nth):
            return each
    if claim is not None:
        number, stream = claim
        if not any(each.incarnation == number and each.stream in ("", stream) for each in given):
            return Registered(number, stream, log, nth)
    free = max([FIRST_INCARNATION - 1, *(each.incarnation for each in given)]) + 1
    if epoch_of(free, 0) >= EPOCHS:
        raise TopicError(
            "all incarnations of this keyspace are given out: its logs were made again, cut or "
            "set to other offsets too often. Continue with another keyspace (cassandra.keyspace)."
        )
    return Registered(free, "", log, nth)


def incarnation(given: list[Registered], log: str, nth: int, claim: tuple[int, str] | None) -> int:
    """Give it out, where nobody else can."""
    found = wanted(given, log, nth, claim)
    if found not in given:
        given.append(found)
    return found.incarnation


def sized(
    before: tuple[int, int] | None, partitions: int, known: tuple[int, int] | None
) -> tuple[int, int]:
    """(partitions, resizes) of a log that has so many now. Raises TopicError beyond 31."""
    there, resizes = before or known or (partitions, 0)
    if partitions <= there:
        return there, resizes
    epoch_of(0, resizes + 1)
    return partitions, resizes + 1
