"""Reads given offsets of a topic through the port `Source`, which commits nothing here."""

from collections.abc import Iterator
from time import monotonic

from stormwatch.epochs import incarnation
from stormwatch.errors import TopicError
from stormwatch.ingest.commit_metadata import epoch_key, read_epoch
from stormwatch.ports import Source
from stormwatch.records import Record

AT_ONCE = 1_000
QUIET_S = 5.0
"""Without a record for so long, while Kafka answers, the offsets that are left hold none."""


def records(source: Source, partition: int, first: int, end: int) -> Iterator[list[Record]]:
    """Records of offsets `first` to `end` - 1, in order; offsets may hold none.

    Raises TopicError where Kafka no longer has `first`, BrokerUnavailable.
    """
    source.assign({partition: first})
    position, heard = first, monotonic()
    while position < end:
        polled = source.poll(min(AT_ONCE, end - position), 0.2).get(partition, [])
        if polled:
            position, heard = polled[-1].offset + 1, monotonic()
            yield [record for record in polled if record.offset < end]
        elif partition in source.gone():
            low = source.watermarks(partition).low
            raise TopicError(
                f"Kafka has partition {partition} from offset {low} on only, {position} is gone "
                "(retention). Ask for later offsets, or give the topic a longer retention."
            )
        elif monotonic() - heard > QUIET_S:
            source.watermarks(partition)  # raises where Kafka is away
            return


def record_at(source: Source, partition: int, offset: int) -> Record | None:
    """One record, None where the offset holds none (any more). Raises BrokerUnavailable."""
    marks = source.watermarks(partition)
    if not marks.low <= offset < marks.high:
        return None
    for some in records(source, partition, offset, offset + 1):
        for record in some:
            return record
    return None


def same_log(source: Source, topic: str, epoch: int) -> bool:
    """Whether offsets written under `epoch` are those of the topic as it is now."""
    info, now = source.describe(), read_epoch(source.recall(epoch_key(topic)))
    if info is None or now is None or now.topic_id != info.topic_id:
        return False
    return incarnation(now.number) == incarnation(epoch)
