"""Reads given offsets of a topic through the port `Source`, which commits nothing here."""

import time
from collections.abc import Iterator

from stormwatch.epochs import same_incarnation
from stormwatch.errors import TopicError
from stormwatch.ingest.commit_metadata import epoch_key, read_epoch
from stormwatch.ports import Source, Store
from stormwatch.records import Record

AT_ONCE = 1_000
QUIET_S = 5.0
"""Without a record for so long, while Kafka answers, the offsets that are left hold none."""


def records(
    source: Source, partition: int, first: int, end: int, quiet_s: float = QUIET_S
) -> Iterator[list[Record]]:
    """Records of offsets `first` to `end` - 1, in order; offsets may hold none.

    What the caller does with some records takes none of the `quiet_s` until the next. An empty list
    says that the offsets that were left hold none. Raises TopicError where Kafka no longer has
    `first`, BrokerUnavailable.
    """
    source.assign({partition: first})
    position, heard = first, time.monotonic()
    while position < end:
        polled = source.poll(min(AT_ONCE, end - position), 0.2).get(partition, [])
        if polled:
            position = polled[-1].offset + 1
            yield [record for record in polled if record.offset < end]
            heard = time.monotonic()
        elif partition in source.gone():
            low = source.watermarks(partition).low
            raise TopicError(
                f"Kafka has partition {partition} from offset {low} on only, {position} is gone "
                "(retention). Ask for later offsets, or give the topic a longer retention."
            )
        elif time.monotonic() - heard > quiet_s:
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


class Present:
    """Whether what was stored of an offset is of the record that Kafka has there now."""

    def __init__(self, source: Source, store: Store, topic: str) -> None:
        """Raises InfrastructureError."""
        info, before = source.describe(), read_epoch(source.recall(epoch_key(topic)))
        self._stretches = [] if info is None else store.stretches(info.topic_id)
        # Of a log that was last read by an older version.
        self._epoch = before.number if info and before and before.of(info) else None

    def has(self, partition: int, epoch: int, offset: int) -> bool:
        """For an offset that was written down under `epoch`."""
        some = [each for each in self._stretches if each.partition == partition]
        if not some:
            return self._epoch is not None and same_incarnation(self._epoch, epoch)
        return any(each.of(epoch) and each.first <= offset < each.believed_to for each in some)
