"""confluent-kafka: connection options, the translation of its errors, and the admin calls."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from stormwatch.adapters import kafka_common as common
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.ports import Committed, TopicInfo, Watermarks
from stormwatch.settings import Settings

logger = logging.getLogger(__name__)
_Asked = TypeVar("_Asked")


def connection(settings: Settings) -> dict[str, Any]:
    """Options of every client: where, and as whom."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": "stormwatch",
        "security.protocol": settings.kafka_security_protocol,
        "log_level": 4,
        "socket.timeout.ms": int(settings.kafka_request_timeout_s * 1000),
        "reconnect.backoff.max.ms": common.RECONNECT_MS,
        "error_cb": lambda error: logger.warning("Kafka: %s", error.str()),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": settings.kafka_password,
        }
    if certificate := common.certificate(settings):
        options["ssl.ca.location"] = certificate
    return options


def opened(client: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """The client, its log going to `logging`. Raises SettingsError where it refuses an option."""
    try:
        return client(dict(options), logger=logger)
    except KafkaException as error:
        raise SettingsError(
            f"confluent-kafka refuses the settings kafka.*: {error.args[0].str()}. Correct them."
        ) from error


def translate(what: str, bootstrap: str, error: KafkaError) -> StormwatchError:
    """The one place where this driver's errors become ours."""
    return common.failure(what, bootstrap, error.code(), error.str())


class ConfluentAdmin:
    """Admin over librdkafka's admin client."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap, self._limit = settings.kafka_bootstrap, settings.kafka_request_timeout_s
        self._replication = settings.kafka_replication
        self._client: AdminClient | None = opened(AdminClient, connection(settings))

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """See Admin. Raises TopicError where Kafka refuses it."""
        topic = NewTopic(name, partitions, self._replication, config=dict(config))
        created, _ = self._ask(
            f"create the topic {name}",
            lambda c: c.create_topics([topic], operation_timeout=self._limit)[name],
            ignore=KafkaError.TOPIC_ALREADY_EXISTS,
        )
        common.settle(lambda: self.describe(name) is not None, self._limit)
        return created

    def describe(self, name: str) -> TopicInfo | None:
        """See Admin."""
        known, topic = self._ask(
            f"describe the topic {name}",
            lambda c: c.describe_topics(TopicCollection([name]), request_timeout=self._limit)[name],
            ignore=KafkaError.UNKNOWN_TOPIC_OR_PART,
        )
        return TopicInfo(str(topic.topic_id), len(topic.partitions)) if known else None

    def watermarks(self, name: str) -> dict[int, Watermarks]:
        """See Admin. Empty while there is no such topic."""
        topic = self.describe(name)
        if topic is None:
            return {}
        parts = [TopicPartition(name, p) for p in range(topic.partitions)]
        what = f"tell the watermarks of {name}"
        earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()
        low = self._ask_all(what, lambda c: c.list_offsets(dict.fromkeys(parts, earliest)))
        high = self._ask_all(what, lambda c: c.list_offsets(dict.fromkeys(parts, latest)))
        return {p.partition: Watermarks(low[p].offset, high[p].offset) for p in parts}

    def committed(self, group: str, name: str) -> dict[int, Committed]:
        """See Admin. Empty while there is no such topic."""
        topic = self.describe(name)
        if topic is None:
            return {}
        parts = [TopicPartition(name, p) for p in range(topic.partitions)]
        _, found = self._ask(
            f"tell the committed offsets of {group}",
            lambda c: c.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, parts)])[
                group
            ],
        )
        return {
            each.partition: Committed(each.offset, each.metadata or "")
            for each in found.topic_partitions
            if each.offset >= 0
        }

    def delete_topic(self, name: str) -> None:
        """See Admin."""
        self._ask(
            f"delete the topic {name}",
            lambda c: c.delete_topics([name], operation_timeout=self._limit)[name],
            ignore=KafkaError.UNKNOWN_TOPIC_OR_PART,
        )
        common.settle(lambda: self.describe(name) is None, self._limit)

    def delete_records(self, name: str, before: Mapping[int, int]) -> None:
        """See Admin."""
        parts = [TopicPartition(name, p, offset) for p, offset in before.items()]
        self._ask_all(f"delete records of {name}", lambda c: c.delete_records(parts))

    def add_partitions(self, name: str, total: int) -> None:
        """See Admin. A topic that has as many is left alone."""
        topic = self.describe(name)
        if topic is not None and topic.partitions < total:
            self._ask(
                f"add partitions to {name}",
                lambda c: c.create_partitions([NewPartitions(name, total)])[name],
            )
            want = topic._replace(partitions=total)
            common.settle(lambda: self.describe(name) == want, self._limit)

    def close(self) -> None:
        """See Admin."""
        self._client = None

    def _ask(
        self, what: str, call: Callable[[AdminClient], Future[Any]], ignore: int | None = None
    ) -> tuple[bool, Any]:
        """(True, result), or (False, None) where Kafka answers with the error to be ignored."""
        return self._answer(what, self._ask_client(what, call), ignore)

    def _ask_all(
        self, what: str, call: Callable[[AdminClient], Mapping[Any, Future[Any]]]
    ) -> dict[Any, Any]:
        """The result of each of several answers."""
        return {k: self._answer(what, f)[1] for k, f in self._ask_client(what, call).items()}

    def _ask_client(self, what: str, call: Callable[[AdminClient], _Asked]) -> _Asked:
        if self._client is None:
            raise ValueError("this Admin was closed")
        self._client.poll(0)  # hands librdkafka's log to `logging`
        try:
            return call(self._client)
        except KafkaException as error:
            raise translate(what, self._bootstrap, error.args[0]) from error

    def _answer(
        self, what: str, future: Future[Any], ignore: int | None = None
    ) -> tuple[bool, Any]:
        try:
            return True, future.result(self._limit + 1)
        except KafkaException as error:
            if error.args[0].code() == ignore:
                return False, None
            raise translate(what, self._bootstrap, error.args[0]) from error
        except FutureTimeout as error:
            raise common.failure(what, self._bootstrap, 0, "no answer in time") from error
