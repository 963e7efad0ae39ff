"""Reads given offsets of a topic through the port `Source`, which commits nothing here.

Over the port, so that every Kafka client shares it. One record alone: `Source.peek`.
"""

import time
from collections.abc import Iterator

from stormwatch.errors import BrokerUnavailable, TopicError
from stormwatch.ports import Source
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


def whole(
    source: Source, partition: int, first: int, end: int, quiet_s: float
) -> Iterator[list[Record]]:
    """As `records`, for who must not take silence for an answer.

    Raises BrokerUnavailable too where nothing came for `quiet_s` and the end was not reached.
    """
    position = first
    for some in records(source, partition, first, end, quiet_s):
        position = some[-1].offset + 1 if some else end
        yield some
    if position < end:
        raise BrokerUnavailable(
            f"Kafka did not deliver offset {position} of partition {partition}, which ends at "
            f"{end}, within {quiet_s:g} s. Try again."
        )
