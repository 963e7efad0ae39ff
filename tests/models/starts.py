"""Starts of a partition in one log, for tests that know no Kafka."""

from stormwatch.ingest.commit_metadata import Start, read_mark, start_of
from stormwatch.ports import Committed


def begin(committed: Committed | None, epoch: int, low: int) -> Start:
    """At the commit, else at the oldest record; takes the next generation."""
    if committed is None:
        return start_of(low, None, "log", epoch, 1)
    mark = read_mark(committed.metadata)
    return start_of(committed.offset, mark, "log", epoch, (mark.generation if mark else 0) + 1)
