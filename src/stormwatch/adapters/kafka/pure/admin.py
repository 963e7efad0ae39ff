"""kafka-python: connection options, the translation of its errors, and the admin calls."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CommitFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    UnsupportedCodecError,
)
from kafka.net.compat import KafkaNetClient

from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.client_log import Sparingly
from stormwatch.errors import PackageMissing, StormwatchError
from stormwatch.ingest.commit_metadata import metadata_text, topic_id
from stormwatch.ports import Committed, TopicInfo, Watermarks
from stormwatch.settings import Settings

for _name in (
    "net.transport",
    "net.connection",
    "consumer.fetcher",
    "cluster",
    "coordinator.consumer",
):
    logging.getLogger(f"kafka.{_name}").addFilter(Sparingly())


def connection(settings: Settings) -> dict[str, Any]:
    """Options of every client: where, and as whom."""
    limit_ms = int(settings.kafka_request_timeout_s * 1000)
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "client_id": "stormwatch",
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": limit_ms,
        "bootstrap_timeout_ms": limit_ms,
        "reconnect_backoff_max_ms": common.RECONNECT_MS,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password,
        }
    if certificate := common.certificate(settings):
        options["ssl_cafile"] = certificate
    return options


@contextmanager
def asking(what: str, bootstrap: str) -> Iterator[None]:
    """The one place where this driver's errors become ours."""
    try:
        yield
    except UnsupportedCodecError as error:
        raise _codec_missing(what, str(error)) from error
    except (KafkaError, OSError, RuntimeError) as error:  # not all it meets is a KafkaError
        raise common.failure(what, bootstrap, code_of(error), words_of(error)) from error


def code_of(error: BaseException) -> int:
    """Kafka's number of an error, 0 where it is not Kafka's. A failed commit wraps it."""
    inner = error.args[0] if isinstance(error, CommitFailedError) and error.args else error
    return int(getattr(inner, "errno", None) or 0) if isinstance(inner, KafkaError) else 0


def words_of(error: BaseException) -> str:
    """What it says, or else what it is."""
    return str(error) or type(error).__name__


def codecs_missing() -> dict[str, str]:
    """Codecs that kafka-python cannot read here -> the package that each needs."""
    from kafka import codec

    has = {"snappy": codec.has_snappy, "lz4": codec.has_lz4, "zstd": codec.has_zstd}
    return {name: package for name, package in _PACKAGES.items() if not has[name]()}


def _codec_missing(what: str, said: str) -> StormwatchError:
    name = next((name for name in _PACKAGES if name in said), "")
    mend = (
        f"the package {_PACKAGES[name]} is not installed here. Run `pip install {_PACKAGES[name]}`"
        if name
        else "it is none of gzip, snappy, lz4 and zstd. Let its producers write one of these"
    )
    return PackageMissing(
        f"kafka-python cannot {what}, which holds records compressed with "
        f"{name or 'another codec'}: {mend}, or set kafka.client to confluent, and start again."
    )


def opened(client: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """The client, connected. Raises BrokerUnavailable.

    A constructor that fails leaves its thread running: that is ended here.
    """
    made = []

    def connect(**config: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**config))
        return made[-1]

    try:
        with asking("connect", ",".join(options["bootstrap_servers"])):
            return client(kafka_client=connect, **options)
    except StormwatchError:
        for each in made:
            each.close()
        raise


_PACKAGES = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}


class KafkaPythonAdmin:
    """Admin over kafka-python's admin client."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap, self._limit = settings.kafka_bootstrap, settings.kafka_request_timeout_s
        self._replication = settings.kafka_replication
        self._client = opened(KafkaAdminClient, connection(settings))

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """See Admin. Raises BrokerRefused where Kafka refuses it."""
        topic = {
            "num_partitions": partitions,
            "replication_factor": self._replication,
            "configs": dict(config),
        }
        with asking(f"create the topic {name}", self._bootstrap):
            try:
                self._client.create_topics({name: topic}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                return False
        return True

    def describe(self, name: str) -> TopicInfo | None:
        """See Admin."""
        with asking(f"describe the topic {name}", self._bootstrap):
            try:
                (topic,) = self._client.describe_topics([name])
            except UnknownTopicOrPartitionError:
                return None
        if topic["error_code"]:
            return None
        return TopicInfo(topic_id(str(topic["topic_id"])), len(topic["partitions"]))

    def watermarks(self, name: str) -> dict[int, Watermarks]:
        """See Admin. Empty while there is no such topic."""
        topic = self.describe(name)
        if topic is None:
            return {}
        parts = [TopicPartition(name, p) for p in range(topic.partitions)]
        with asking(f"return the watermarks of {name}", self._bootstrap):
            low = self._client.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.EARLIEST))
            high = self._client.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.LATEST))
        return {p.partition: Watermarks(low[p].offset, high[p].offset) for p in parts}

    def committed(self, group: str, name: str) -> dict[int, Committed]:
        """See Admin. Empty while there is no such topic."""
        topic = self.describe(name)
        if topic is None:
            return {}
        parts = [TopicPartition(name, p) for p in range(topic.partitions)]
        with asking(f"return the committed offsets of {group}", self._bootstrap):
            found = self._client.list_group_offsets({group: parts})[group]
        return {
            p.partition: Committed(each.offset, metadata_text(each.metadata))
            for p, each in found.items()
            if each.offset >= 0
        }

    def members(self, group: str) -> list[str]:
        """See Admin."""
        with asking(f"describe the group {group}", self._bootstrap):
            found = self._client.describe_groups([group])[group]
        return [common.member(m["client_id"], m["client_host"]) for m in found["members"]]

    def delete_topic(self, name: str) -> None:
        """See Admin."""
        with asking(f"delete the topic {name}", self._bootstrap):
            try:
                self._client.delete_topics([name])
            except UnknownTopicOrPartitionError:
                return
        common.wait_until(lambda: self.describe(name) is None, self._limit)

    def delete_records(self, name: str, before: Mapping[int, int]) -> None:
        """See Admin."""
        with asking(f"delete records of {name}", self._bootstrap):
            self._client.delete_records({TopicPartition(name, p): o for p, o in before.items()})

    def add_partitions(self, name: str, total: int) -> None:
        """See Admin. A topic that has as many is left alone."""
        topic = self.describe(name)
        if topic is not None and topic.partitions < total:
            with asking(f"add partitions to {name}", self._bootstrap):
                self._client.create_partitions({name: total})
            want = topic._replace(partitions=total)
            common.wait_until(lambda: self.describe(name) == want, self._limit)

    def close(self) -> None:
        """See Admin."""
        self._client.close()
