"""Whose open transaction holds a partition: asked through kafka-python, the client that can."""

from collections.abc import Collection
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from stormwatch.errors import StormwatchError
from stormwatch.settings import Settings


def producers(settings: Settings, topic: str, partitions: Collection[int]) -> dict[int, str]:
    """Partition -> the producer of its oldest open transaction, in words, where Kafka tells.

    Asks for rights that a reader need not have, and of brokers since 2.8: what cannot be told is
    left out.
    """
    if find_spec("kafka") is None:
        return {}
    from kafka import KafkaAdminClient, TopicPartition

    from stormwatch.adapters.kafka.pure.admin import asking, connection, opened

    try:
        client = opened(KafkaAdminClient, connection(settings))
        try:
            with asking("describe producers", settings.kafka_bootstrap):
                parts = [TopicPartition(topic, p) for p in partitions]
                found = client.describe_producers(parts)
                return {
                    part.partition: said
                    for part, state in found.items()
                    if (said := _oldest(client, state.active_producers))
                }
        finally:
            client.close()
    except StormwatchError:
        return {}


def _oldest(client: Any, active: Collection[Any]) -> str:
    opened = [each for each in active if each.current_transaction_start_offset >= 0]
    if not opened:
        return ""
    first = min(opened, key=lambda each: each.current_transaction_start_offset)
    heard = datetime.fromtimestamp(first.last_timestamp / 1000, UTC)
    name = ""
    for listed in client.list_transactions(producer_id_filters=[first.producer_id]).values():
        name = next((f", transactional.id {each.transactional_id!r}" for each in listed), name)
    return f"producer {first.producer_id}{name}, last heard of at {heard:%Y-%m-%dT%H:%M:%SZ}"
