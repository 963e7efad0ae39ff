"""Amazon Kinesis through boto3: the few calls that reading needs, and what its errors mean."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from stormwatch.errors import BrokerRefused, BrokerUnavailable, PackageMissing
from stormwatch.settings import Settings

ANSWER_RECORDS = 10_000
"""That one answer holds at most, by AWS's limits."""
_ACTS = {
    "UnrecognizedClientException": "Correct the access key (AWS_ACCESS_KEY_ID, or the profile).",
    "InvalidSignatureException": "Correct the secret key (AWS_SECRET_ACCESS_KEY, or the profile).",
    "IncompleteSignatureException": "Correct the access key (AWS_ACCESS_KEY_ID, or the profile).",
    "ExpiredTokenException": "Sign in again: the temporary credentials have expired.",
    "MissingAuthenticationTokenException": "Give credentials: `aws configure`, or a role.",
    "AccessDeniedException": "Give the identity kinesis:DescribeStreamSummary, ListShards, "
    "GetShardIterator and GetRecords on this stream (PutRecords to write to it).",
    "ValidationException": "",
}


class Absent(Exception):
    """There is no such stream."""


class Throttled(Exception):
    """Asked too often: the same again in a moment."""


class Expired(Exception):
    """An iterator is too old: take another one."""


class Trimmed(Exception):
    """The stream does not know the sequence number asked for."""


_MEANS: dict[str, type[Exception]] = {
    "ResourceNotFoundException": Absent,
    "ProvisionedThroughputExceededException": Throttled,
    "LimitExceededException": Throttled,
    "KMSThrottling": Throttled,
    "ExpiredIteratorException": Expired,
    "InvalidArgumentException": Trimmed,
}


class Shard(NamedTuple):
    """A part of a stream. Its number, by which it is a partition, is that of its id."""

    id: str
    number: int
    parents: tuple[int, ...]


class Shards(NamedTuple):
    """A stream as it is now."""

    log: str  # names it: another one after it was deleted and made again
    by_number: dict[int, Shard]  # those that can still be read


class Got(NamedTuple):
    """A record."""

    sequence: str
    key: bytes
    value: bytes
    arrived: int  # ms


class Put(NamedTuple):
    """A record to be written."""

    key: str
    value: bytes


class Client:
    """One stream. Nothing connects when it is made."""

    def __init__(self, settings: Settings, stream: str) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        except ImportError as error:
            raise PackageMissing(
                "source is kinesis, and the package boto3 is not installed: "
                "`.venv/bin/pip install -c constraints.txt -r requirements/kinesis.txt`."
            ) from error
        self._stream, self._where = stream, settings.kinesis_endpoint or settings.kinesis_region
        self._refused, self._away = ClientError, BotoCoreError
        self._unknown = NoCredentialsError
        limit = settings.kafka_request_timeout_s
        self._client: Any = boto3.client(
            "kinesis", region_name=settings.kinesis_region,
            endpoint_url=settings.kinesis_endpoint or None,
            config=Config(
                connect_timeout=limit, read_timeout=limit, tcp_keepalive=True,
                retries={"total_max_attempts": 1},
            ),
        )  # fmt: skip

    def shards(self) -> Shards | None:
        """The stream now, None where there is none to be read yet."""
        try:
            with self._asking("describe"):
                told = self._client.describe_stream_summary(StreamName=self._stream)
                summary = told["StreamDescriptionSummary"]
                if summary["StreamStatus"] not in ("ACTIVE", "UPDATING"):
                    return None
                found = [_shard(each) for each in self._listed()]
        except Absent:
            return None
        except Throttled as error:
            raise BrokerUnavailable(
                f"Kinesis told to ask for {self._stream} less often; trying again."
            ) from error
        created = summary["StreamCreationTimestamp"].timestamp()
        name = f"kinesis:{summary['StreamARN']}@{created:.3f}"
        return Shards(name, {shard.number: shard for shard in found})

    def _listed(self) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"StreamName": self._stream}
        while True:
            told = self._client.list_shards(**asked)
            yield from told["Shards"]
            if not (more := told.get("NextToken")):
                return
            asked = {"NextToken": more}

    def iterator(self, shard: Shard, at: str = "", after: str = "") -> str:
        """From the record `at` on, from that behind `after`, else from the oldest."""
        asked: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if at or after:
            kind = "AT" if at else "AFTER"
            asked = {
                "ShardIteratorType": f"{kind}_SEQUENCE_NUMBER",
                "StartingSequenceNumber": at or after,
            }
        with self._asking("give an iterator of"):
            told = self._client.get_shard_iterator(
                StreamName=self._stream, ShardId=shard.id, **asked
            )
        return str(told["ShardIterator"])

    def records(self, iterator: str, limit: int) -> tuple[list[Got], str | None, bool]:
        """Records, the iterator that goes on (None: the shard has ended), whether this was all."""
        with self._asking("return records of"):
            told = self._client.get_records(
                ShardIterator=iterator, Limit=max(1, min(limit, ANSWER_RECORDS))
            )
        found = [
            Got(
                each["SequenceNumber"], each["PartitionKey"].encode(), bytes(each["Data"]),
                round(each["ApproximateArrivalTimestamp"].timestamp() * 1000),
            )
            for each in told["Records"]
        ]  # fmt: skip
        onward = told.get("NextShardIterator")
        return found, onward, onward is None or not told.get("MillisBehindLatest", 0)

    def put(self, records: Sequence[Put]) -> int:
        """Write them in one request; how many were taken before the first that was not.

        Some behind that one may have been taken, too. Raises Absent, Throttled, BrokerUnavailable,
        and BrokerRefused for what AWS never takes (a record over its limit).
        """
        try:
            with self._asking("take records for"):
                told = self._client.put_records(
                    StreamName=self._stream,
                    Records=[{"PartitionKey": one.key, "Data": one.value} for one in records],
                )
        except Trimmed as error:
            raise BrokerRefused(f"Kinesis refused records for {self._stream}: {error}") from error
        refused = (n for n, one in enumerate(told["Records"]) if one.get("ErrorCode"))
        return next(refused, len(records))

    def close(self) -> None:
        """Leave."""
        self._client.close()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """The one place where this driver's errors become ours."""
        try:
            yield
        except self._refused as error:
            raise self._told(what, error.response.get("Error", {})) from error
        except self._unknown as error:
            raise BrokerRefused(
                "Kinesis cannot be asked: no AWS credentials were found. Run `aws configure`, set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role."
            ) from error
        except self._away as error:
            raise BrokerUnavailable(
                f"Kinesis at {self._where} did not {what} {self._stream}: {error}. Is the network "
                "up, and the setting kinesis.region right?"
            ) from error

    def _told(self, what: str, error: dict[str, Any]) -> Exception:
        code, said = str(error.get("Code", "")), str(error.get("Message", ""))
        if code in _MEANS:
            return _MEANS[code](said)
        if code in _ACTS:
            return BrokerRefused(
                f"Kinesis refused to {what} {self._stream}: {said or code}. {_ACTS[code]}".strip()
            )
        return BrokerUnavailable(f"Kinesis did not {what} {self._stream}: {code} {said}".strip())


def _shard(told: dict[str, Any]) -> Shard:
    parents = (told.get("ParentShardId"), told.get("AdjacentParentShardId"))
    return Shard(
        told["ShardId"], _number(told["ShardId"]),
        tuple(_number(parent) for parent in parents if parent),
    )  # fmt: skip


def _number(shard: str) -> int:
    """`shardId-000000000007` is 7: AWS counts the shards of a stream, and never anew."""
    return int(shard.rpartition("-")[2])


class Pace:
    """When a shard may be read again: AWS allows 5 reads and 2 MB a second and shard."""

    BYTES_PER_S = 2_000_000
    MOST_S = 5.0

    def __init__(self, reads_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._between, self._clock = 1 / reads_per_s, clock
        self._due: dict[int, float] = {}
        self._slower: dict[int, float] = {}

    def due(self, shard: int) -> float:
        """The moment from which on it may be read."""
        return self._due.get(shard, 0.0)

    def read(self, shard: int, size: int) -> None:
        """It was read, and so many bytes came."""
        self._slower.pop(shard, None)
        self._due[shard] = self._clock() + max(self._between, size / self.BYTES_PER_S)

    def throttled(self, shard: int) -> None:
        """It refused: wait twice as long as last time."""
        wait = min(2 * self._slower.get(shard, self._between), self.MOST_S)
        self._slower[shard] = wait
        self._due[shard] = self._clock() + wait

    def rest(self, shard: int, seconds: float) -> None:
        """There is nothing to be read for so long."""
        self._due[shard] = self._clock() + seconds
