"""Kinesis streams as an Admin sees topics; all topics that topologies write are Kafka's."""

from collections.abc import Callable, Mapping

from stormwatch.errors import BrokerRefused
from stormwatch.ports import Admin, Committed, Source, TopicInfo, Watermarks


class KinesisAdmin:
    """Asks `kafka`, but of what `is_stream` a source of it.

    Streams are made, resharded and deleted by AWS's own tools: they cost money.
    """

    def __init__(
        self, kafka: Admin, is_stream: Callable[[str], bool], source: Callable[[str], Source]
    ) -> None:
        self._kafka, self._is_stream, self._open = kafka, is_stream, source
        self._sources: dict[str, Source] = {}

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """See Admin. A stream is left as it is, also where it is absent."""
        return not self._is_stream(name) and self._kafka.ensure_topic(name, partitions, config)

    def describe(self, name: str) -> TopicInfo | None:
        """See Admin."""
        if self._is_stream(name):
            return self._source(name).describe()
        return self._kafka.describe(name)

    def watermarks(self, name: str) -> dict[int, Watermarks]:
        """See Admin."""
        if not self._is_stream(name):
            return self._kafka.watermarks(name)
        source = self._source(name)
        info = source.describe()
        # The commits first: of a shard that AWS has forgotten they alone say how far it went.
        partitions = range(info.partitions if info else 0)
        source.committed(partitions)
        return {partition: source.watermarks(partition) for partition in partitions}

    def committed(self, group: str, name: str) -> dict[int, Committed]:
        """See Admin. Of a stream, the commits of the group of the settings."""
        if not self._is_stream(name):
            return self._kafka.committed(group, name)
        source = self._source(name)
        info = source.describe()
        return source.committed(range(info.partitions)) if info else {}

    def members(self, group: str) -> list[str]:
        """See Admin."""
        return self._kafka.members(group)

    def delete_topic(self, name: str) -> None:
        """See Admin."""
        self._only_kafka(name).delete_topic(name)

    def delete_records(self, name: str, before: Mapping[int, int]) -> None:
        """See Admin."""
        self._only_kafka(name).delete_records(name, before)

    def add_partitions(self, name: str, total: int) -> None:
        """See Admin."""
        self._only_kafka(name).add_partitions(name, total)

    def close(self) -> None:
        """See Admin."""
        for source in self._sources.values():
            source.close()
        self._kafka.close()

    def _only_kafka(self, name: str) -> Admin:
        if self._is_stream(name):
            raise BrokerRefused(
                f"{name} is a Kinesis stream: change or delete it with AWS's tools "
                f"(`aws kinesis … --stream-name {name}`)."
            )
        return self._kafka

    def _source(self, name: str) -> Source:
        if name not in self._sources:
            self._sources[name] = self._open(name)
        return self._sources[name]
