"""Where reading of a topic begins: its epoch, and each partition's start. Never skips silently."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stormwatch.epochs import next_epoch
from stormwatch.errors import TopicError
from stormwatch.ingest.commit_metadata import (
    Epoch,
    Start,
    epoch_key,
    read_epoch,
    read_mark,
    start_of,
    write_epoch,
)
from stormwatch.ports import Committed, Source, TopicInfo, Watermarks

RESUME, STOP = "resume", "stop"
"""The setting `expired`: what to do when Kafka deleted records that were never read."""


class Opened(NamedTuple):
    """A partition ready to be read: from `start`, or from `low` where Kafka deleted up to it."""

    start: Start
    low: int


class Log(NamedTuple):
    """Names for messages: whose offsets of which topic."""

    topic: str
    group: str
    expired: str


def open_epoch(source: Source, log: Log, info: TopicInfo) -> int:
    """The epoch of the topic as it is now; a new one is remembered.

    Deterministic, so tasks that do this at once remember the same. Raises TopicError if the topic
    was made again while offsets of the old one are still committed.
    """
    stored = read_epoch(source.recall(epoch_key(log.topic)))
    if stored is not None and stored.of(info):
        return stored.number
    commits = source.committed(range(info.partitions))
    made_again = stored is not None and stored.topic_id != info.topic_id
    if made_again and commits:
        raise recreated(log)
    if stored is None:
        marks = [read_mark(commit.metadata) for commit in commits.values()]
        number = max([mark.epoch for mark in marks if mark], default=1)
    else:
        number = next_epoch(stored.number, recreated=made_again)
    epoch = Epoch(number, info.topic_id, info.partitions)
    source.remember(epoch_key(log.topic), write_epoch(epoch))
    return number


def open_partitions(
    source: Source, log: Log, partitions: Sequence[int], epoch: int
) -> dict[int, Opened]:
    """How each partition is read: from its commit, else from the oldest record.

    Raises TopicError if a commit lies outside what Kafka holds and that may not be passed.
    """
    commits: Mapping[int, Committed] = source.committed(partitions)
    opened = {}
    for partition in partitions:
        marks = source.watermarks(partition)
        start = start_of(commits.get(partition), epoch, marks.low)
        low = check_position(log, partition, start.offset, marks)
        opened[partition] = Opened(start, low)
    return opened


def check_position(log: Log, partition: int, offset: int, marks: Watermarks) -> int:
    """The offset to go on at: `offset`, or the oldest where Kafka deleted records before that.

    Raises TopicError if the partition ends before `offset`, and for deleted ones under `stop`.
    """
    where = f"partition {partition} of topic {log.topic!r}"
    if offset > marks.high:
        raise TopicError(
            f"{where} was read up to offset {offset}, but ends at {marks.high}: it was truncated "
            f"or made again. Going on would skip records. {_mend(log)}"
        )
    if offset < marks.low and log.expired == STOP:
        raise TopicError(
            f"{where}: Kafka deleted offsets {offset} to {marks.low - 1} before they were read "
            "(retention). Set expired=resume to count them as expired and go on; give the topic "
            "a longer retention to keep them."
        )
    return max(offset, marks.low)


def recreated(log: Log) -> TopicError:
    """The topic is another one than the offsets belong to."""
    return TopicError(
        f"topic {log.topic!r} was deleted and made again, but group {log.group!r} has offsets of "
        f"the old one: going on from them would skip records. {_mend(log)}"
    )


def _mend(log: Log) -> str:
    return (
        f"Stop the topology, delete the offsets (`kafka-consumer-groups.sh --delete-offsets "
        f"--group {log.group} --topic {log.topic}`, or set kafka.group to a new name) and start "
        "again: reading then begins at the oldest record."
    )
