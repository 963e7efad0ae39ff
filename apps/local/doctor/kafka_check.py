"""Would the topologies be let do their work by this Kafka? What lasts until a person acts."""

from collections.abc import Iterator
from contextlib import closing

from apps.data.streams import all_topics
from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.ports import Source
from stormwatch.settings import KINESIS, Settings

_POLL_S = 0.3


def check(settings: Settings) -> Iterator[Finding]:
    """Of a Kafka that accepts connections: way in, group, rights, codecs, open transactions.

    Of no topic where the mappings cannot be read: `mapping_check` tells that.
    """
    from stormwatch.adapters import connect
    from stormwatch.adapters.kafka.buffered_source import group_taken

    yield from _codecs(settings)
    group, kind = settings.kafka_group, settings.source.title()
    try:
        with closing(connect.admin(settings)) as admin:
            if others := admin.members(group):
                yield Finding("Kafka group", FAIL, group_taken(group, others))
        for topic in all_topics(settings):
            with closing(connect.source(settings, topic)) as source:
                yield from _reading(source, topic, settings.source)
    except SettingsError:
        return
    except StormwatchError as error:
        yield Finding(kind, FAIL, str(error))
    else:
        if not others:
            yield Finding(
                "Kafka group", OK, f"{group!r} is Stormwatch's alone; topics are readable."
            )


def _absent(stream: str) -> Finding:
    return Finding(
        "Kinesis stream",
        FAIL,
        f"There is no stream {stream}.",
        "Nothing is read until there is one.",
        f"`aws kinesis create-stream --stream-name {stream} --shard-count 4`",
    )


def _reading(source: Source, topic: str, kind: str) -> Iterator[Finding]:
    """Reads a little, commits nothing. Raises StormwatchError where that is refused."""
    from stormwatch.ingest.transactions import sentence

    info = source.describe()
    if info is None:
        if kind == KINESIS:  # a topic of Kafka is made by `up`
            yield _absent(topic)
        return
    commits = source.committed(range(info.partitions))
    positions = {}
    for partition in range(info.partitions):
        low, high = source.watermarks(partition)
        at = commits[partition].offset if partition in commits else low
        positions[partition] = min(max(at, low), high)
    source.assign(positions)
    for _ in range(2):  # what is refused is told by the poll after it
        source.poll(1, _POLL_S)
    for partition, held in source.held(positions).items():
        yield Finding(
            "Kafka transaction",
            WARN,
            sentence(topic, partition, held),
            "If it is still there in a minute, its producer is dead.",
        )


def _codecs(settings: Settings) -> Iterator[Finding]:
    from stormwatch.adapters import connect

    if connect.client(settings) != "kafka-python":
        return
    from stormwatch.adapters.kafka.pure.admin import codecs_missing

    if missing := codecs_missing():
        yield Finding(
            "Kafka codecs",
            WARN,
            f"kafka-python cannot read {', '.join(missing)} here.",
            "A producer that compresses so stops the topology.",
            f"`pip install {' '.join(missing.values())}`",
        )
