"""Says it when an open transaction holds a partition: else it looks like an idle topic with lag."""

import logging
from collections.abc import Mapping

from stormwatch.ports import Held, Source

SAY_AGAIN_LOOKS = 10

logger = logging.getLogger(__name__)


class TransactionWatch:
    """Of one topic. An ordinary transaction ends between two looks: it is not logged."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._seen: dict[int, tuple[int, int]] = {}  # partition -> its offset, at how many looks

    def look(self, source: Source, idle: Mapping[int, int]) -> None:
        """Look at partitions with nothing in hand, by position. Raises BrokerUnavailable."""
        found = source.held(idle) if idle else {}
        for partition, (_, looks) in list(self._seen.items()):
            if partition not in found:
                del self._seen[partition]
                if looks > 1:
                    logger.warning("%s[%d]: the open transaction has ended", self._topic, partition)
        for partition, held in found.items():
            before, looks = self._seen.get(partition, (held.offset, 0))
            looks = looks + 1 if before == held.offset else 1
            self._seen[partition] = (held.offset, looks)
            if looks % SAY_AGAIN_LOOKS == 2:
                logger.warning("%s", sentence(self._topic, partition, held))


def sentence(topic: str, partition: int, held: Held) -> str:
    """What is held, by whom, and what ends it."""
    return (
        f"{topic}[{partition}]: a transaction that is open since offset {held.offset} holds back "
        f"{held.waiting} offsets: only what is committed is read. Its {held.producer or 'producer'}"
        " has to commit or abort it; Kafka aborts it after the producer's transaction.timeout.ms, "
        "and `kafka-transactions.sh abort --topic "
        f"{topic} --partition {partition} --start-offset {held.offset}` at once."
    )
