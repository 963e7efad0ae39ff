"""Whether what was stored of a log is of the log that Kafka has now."""

from stormwatch.epochs import same_incarnation
from stormwatch.ingest.commit_metadata import epoch_key, read_epoch
from stormwatch.ports import Source, Store


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
