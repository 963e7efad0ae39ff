"""Kinesis as the contract tests of sources have their Kafkas: kinesalite, and a store in memory."""

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ports import Source
from stormwatch.settings import Settings

FAST = 1_000.0
"""Reads a second of a shard: the server here allows more than AWS."""


def client(url: str) -> Any:
    """boto3's, of a server that asks for no credentials."""
    import boto3

    return boto3.client(
        "kinesis", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x",
        aws_secret_access_key="x",
    )  # fmt: skip


class Kinesis:
    """A `Cluster` of tests/contracts/kafka_clusters.py."""

    group = "stormwatch"

    def __init__(self, stack: ExitStack, url: str) -> None:
        self.stack, self.url, self.client = stack, url, client(url)
        self.store, self._kafka = MemoryStore(), MemoryBroker()
        self.settings = Settings(
            source="kinesis", kinesis_endpoint=url, kinesis_reads_per_s=FAST,
            kafka_request_timeout_s=20.0,
        )  # fmt: skip

    def source(self, topic: str, shelf_bytes: int = 16 << 20, group: str = "") -> Source:
        from stormwatch.adapters.kinesis.source import KinesisSource

        kafka = self._kafka
        control = Control(
            "control", lambda: MemoryAdmin(kafka), lambda name: MemorySource(kafka, name),
            lambda: MemorySink(kafka), 5.0,
        )  # fmt: skip
        settings = replace(self.settings, kafka_group=group or self.group)
        made = KinesisSource(settings, topic, lambda: self.store, control, shelf_bytes)
        return self.stack.enter_context(closing(made))

    def sink(self) -> "Puts":
        return Puts(self.client)

    def admin(self) -> "Streams":
        return Streams(self.client)

    def others(self) -> Iterable[Any]:
        return ()


class Puts:
    """As a `Sink`, a record at a time where order matters to a shard."""

    def __init__(self, kinesis: Any) -> None:
        self._client = kinesis
        self._queue: list[tuple[str, bytes | None, bytes | None]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._queue.append((topic, key, value))

    def flush(self, timeout: float) -> None:
        queue, self._queue = self._queue, []
        for first in range(0, len(queue), 500):
            some = queue[first : first + 500]
            told = self._client.put_records(
                StreamName=some[0][0],
                Records=[
                    {"Data": value or b"", "PartitionKey": (key or b"-").decode()}
                    for _, key, value in some
                ],
            )
            assert not told["FailedRecordCount"]


class Streams:
    """As an `Admin`, of what tests ask."""

    def __init__(self, kinesis: Any) -> None:
        self.client = kinesis

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        self.client.create_stream(StreamName=name, ShardCount=partitions)
        self.active(name)
        return True

    def delete_topic(self, name: str) -> None:
        self.client.delete_stream(StreamName=name)
        until = time.monotonic() + 20
        while True:
            try:
                self.client.describe_stream_summary(StreamName=name)
            except self.client.exceptions.ResourceNotFoundException:
                return
            assert time.monotonic() < until
            time.sleep(0.02)

    def split(self, name: str, shard: int) -> None:
        """Its keys go on in two shards."""
        found = self._shard(name, shard)
        low, high = (int(found["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        self.client.split_shard(
            StreamName=name, ShardToSplit=found["ShardId"],
            NewStartingHashKey=str((low + high) // 2),
        )  # fmt: skip
        self.active(name)

    def merge(self, name: str, one: int, other: int) -> None:
        """The keys of two go on in one shard."""
        first, second = (self._shard(name, each)["ShardId"] for each in (one, other))
        self.client.merge_shards(StreamName=name, ShardToMerge=first, AdjacentShardToMerge=second)
        self.active(name)

    def active(self, name: str) -> None:
        until = time.monotonic() + 20
        while True:
            told = self.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            if told["StreamStatus"] == "ACTIVE":
                return
            assert time.monotonic() < until
            time.sleep(0.02)

    def _shard(self, name: str, number: int) -> Any:
        (found,) = [
            each for each in self.client.list_shards(StreamName=name)["Shards"]
            if int(each["ShardId"].rpartition("-")[2]) == number
        ]  # fmt: skip
        return found
