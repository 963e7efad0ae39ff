"""Admin calls through confluent-kafka."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.confluent.connection import (
    connection,
    metadata_of,
    opened,
    translate,
)
from stormwatch.ingest.commit_metadata import topic_id
from stormwatch.ports import Committed, TopicInfo, Watermarks
from stormwatch.settings import Settings

_Asked = TypeVar("_Asked")
_SETTLING = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
}
"""Just after a topic was made, or a broker was lost."""
_UNSURE = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}
"""Just after the first group was seen, or the broker began."""
_UNSURE_S = 0.1


def _settling(future: Future[Any]) -> bool:
    error = future.exception() if future.done() else None
    return isinstance(error, KafkaException) and error.args[0].code() in _SETTLING


class ConfluentAdmin:
    """Admin over librdkafka's admin client."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap, self._limit = settings.kafka_bootstrap, settings.kafka_request_timeout_s
        self._replication = settings.kafka_replication
        self._options = connection(settings)
        self._client: AdminClient | None = opened(AdminClient, self._options)
        self._members: dict[str, Any] = {}

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """See Admin. Raises BrokerRefused where Kafka refuses it."""
        topic = NewTopic(name, partitions, self._replication, config=dict(config))
        created, _ = self._ask(
            f"create the topic {name}",
            lambda c: c.create_topics([topic], operation_timeout=self._limit)[name],
            ignore=KafkaError.TOPIC_ALREADY_EXISTS,
        )
        common.wait_until(lambda: self.describe(name) is not None, self._limit)
        return created

    def describe(self, name: str) -> TopicInfo | None:
        """See Admin."""
        known, topic = self._ask(
            f"describe the topic {name}",
            lambda c: c.describe_topics(TopicCollection([name]), request_timeout=self._limit)[name],
            ignore=KafkaError.UNKNOWN_TOPIC_OR_PART,
        )
        return TopicInfo(topic_id(str(topic.topic_id)), len(topic.partitions)) if known else None

    def watermarks(self, name: str) -> dict[int, Watermarks]:
        """See Admin. Empty while there is no such topic."""
        topic = self.describe(name)
        if topic is None:
            return {}
        parts = [TopicPartition(name, p) for p in range(topic.partitions)]
        what = f"return the watermarks of {name}"
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
        what = f"return the committed offsets of {group}"
        # Not list_consumer_group_offsets: where the broker answers with an error (a coordinator
        # that is still loading) confluent-kafka 2.16.1 ends with a segmentation fault.
        until = time.monotonic() + self._limit
        while True:
            try:
                found = self._member(group).committed(parts, timeout=self._limit)
                break
            except KafkaException as error:
                # A broker that has just started is not yet sure who coordinates the group.
                if error.args[0].code() not in _UNSURE or time.monotonic() > until:
                    raise translate(what, self._bootstrap, error.args[0]) from error
                time.sleep(_UNSURE_S)
        for each in found:
            if each.error:
                raise translate(what, self._bootstrap, each.error)
        return {
            each.partition: Committed(each.offset, metadata_of(each))
            for each in found
            if each.offset >= 0
        }

    def members(self, group: str) -> list[str]:
        """See Admin."""
        what = f"describe the group {group}"
        (found,) = self._ask_all(what, lambda c: c.describe_consumer_groups([group])).values()
        return [common.member(each.client_id, each.host) for each in found.members]

    def delete_topic(self, name: str) -> None:
        """See Admin."""
        self._ask(
            f"delete the topic {name}",
            lambda c: c.delete_topics([name], operation_timeout=self._limit)[name],
            ignore=KafkaError.UNKNOWN_TOPIC_OR_PART,
        )
        common.wait_until(lambda: self.describe(name) is None, self._limit)

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
            common.wait_until(lambda: self.describe(name) == want, self._limit)

    def close(self) -> None:
        """See Admin."""
        self._client = None
        for member in self._members.values():
            member.close()
        self._members.clear()

    def _member(self, group: str) -> Any:
        """A consumer that only asks for the group's offsets and never joins it."""
        if self._client is None:
            raise ValueError("this Admin was closed")
        if group not in self._members:
            options = {**self._options, "group.id": group, "enable.auto.commit": False}
            self._members[group] = opened(Consumer, options)
        return self._members[group]

    def _ask(
        self, what: str, call: Callable[[AdminClient], Future[Any]], ignore: int | None = None
    ) -> tuple[bool, Any]:
        """(True, result), or (False, None) where Kafka answers with the error to be ignored."""
        return self._answer(what, self._ask_client(what, call), ignore)

    def _ask_all(
        self, what: str, call: Callable[[AdminClient], Mapping[Any, Future[Any]]]
    ) -> dict[Any, Any]:
        """The result of each of several answers; asked again while a leader is being found."""
        deadline = time.monotonic() + self._limit
        while True:
            asked = self._ask_client(what, call)
            wait(asked.values(), self._limit + 1)
            if time.monotonic() > deadline or not any(map(_settling, asked.values())):
                return {key: self._answer(what, future)[1] for key, future in asked.items()}
            time.sleep(0.05)

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
