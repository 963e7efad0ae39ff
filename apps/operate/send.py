"""One record written to a topic as any producer would, and where it came to stand."""

from contextlib import closing, suppress

import msgspec

from apps.data.kinds import BY_TOPOLOGY
from apps.operate.domains import of_topic
from apps.operate.journey import Place
from stormwatch.adapters import connect, log_reader
from stormwatch.errors import BrokerUnavailable, SettingsError
from stormwatch.ports import Source
from stormwatch.settings import Settings


def send(settings: Settings, topic: str, value: bytes) -> Place:
    """Where Kafka put the record. Its key is that of the event in it; a value that names none goes
    wherever Kafka puts it. Raises InfrastructureError, SettingsError where there is no topic.
    """
    field = BY_TOPOLOGY[of_topic(settings, topic).topology].key
    key: bytes | None = None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = msgspec.json.decode(value)
        named = found.get(field) if isinstance(found, dict) else None
        key = named.encode() if isinstance(named, str) and named else None
    with (
        closing(connect.source(settings, topic)) as source,
        closing(connect.sink(settings)) as sink,
    ):
        info = source.describe()
        if info is None:
            raise SettingsError(f"There is no topic {topic!r} yet: start the topology first.")
        ends = {part: source.watermarks(part).high for part in range(info.partitions)}
        sink.send(topic, key, value)
        sink.flush(settings.kafka_request_timeout_s)
        for partition, since in ends.items():
            offset = _found(source, partition, since, key, value)
            if offset is not None:
                return Place(topic, partition, offset)
    raise BrokerUnavailable("Kafka confirmed the record and does not show it yet.")


def _found(
    source: Source, partition: int, since: int, key: bytes | None, value: bytes
) -> int | None:
    high = source.watermarks(partition).high
    for records in log_reader.records(source, partition, since, high):
        for record in records:
            if (record.key, record.value) == (key, value):
                return record.offset
    return None
