"""The log that a job reads: its number in the keyspace, and where its reading began.

As the spout says it (`stormwatch.ingest.start`), so that the ledger and the other commands find
what Flink decided. But where reading goes on is Flink's: its checkpoint holds the positions.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from stormwatch.epochs import epoch_of
from stormwatch.errors import TopicError
from stormwatch.ingest import notices
from stormwatch.ingest.commit_metadata import read_mark
from stormwatch.ingest.start import Subscription, open_log
from stormwatch.ports import Source, Store
from stormwatch.records import Fragment
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.stretches import Stretch, newest


class Log(NamedTuple):
    """A topic's log as one start of a job reads it; goes to the operators."""

    topic: str
    name: str
    """Kafka's id of the topic: changes when it is deleted and made again."""
    generation: int
    stretches: Mapping[int, Stretch]
    epochs: Mapping[int, int]
    """By partition."""


def register(
    source: Source, store: Store, subscription: Subscription, domain: str, *, resumes: bool
) -> Log:
    """The topic's log with a generation above all before it; what it says is stored on return.

    `resumes`: from a checkpoint. Else reading begins with the oldest record. Raises TopicError
    where there is no such topic, where it was cut, or where reading cannot begin anew: Storm has
    read it, or the oldest records are gone. Raises InfrastructureError.
    """
    info = source.describe()
    if info is None:
        raise TopicError(
            f"There is no topic {subscription.topic!r}. Make it: `./stormwatch up` makes all "
            "topics of the settings."
        )
    known = open_log(source, store, subscription, info)
    partitions = range(info.partitions)
    if not resumes:
        _expect_unread(source, subscription, partitions)
    before = [each for some in known.stretches.values() for each in some]
    generation = 1 + max((each.generation for each in before), default=0)
    stretches: dict[int, Stretch] = {}
    for partition in partitions:
        low, high = source.watermarks(partition)
        last = newest(known.stretches.get(partition, ()))
        if last is not None and not resumes and last.first < low and last.first < last.position:
            raise TopicError(
                f"{subscription.topic}[{partition}] was decided from offset {last.first} on, there "
                f"is no checkpoint to go on from, and Kafka has deleted all before {low}: decided "
                "without it, records would get other decisions. Continue with another keyspace "
                "(cassandra.keyspace) and group (kafka.group), or put the checkpoints back."
            )
        if last is not None and last.position > high:
            raise TopicError(
                f"{subscription.topic}[{partition}] ends at offset {high}, and was decided up to "
                f"{last.position}: it was cut. Flink cannot go on from a place that is gone. "
                "Continue with another keyspace (cassandra.keyspace) and group (kafka.group)."
            )
        if last is None:
            incarnation = store.incarnation(known.log, 0, None)
            last = Stretch(partition, incarnation, 0, low, low, position=low)
        stretches[partition] = replace(last, generation=generation)
    store.write_stretches(known.log, list(stretches.values()))
    epochs = {p: epoch_of(each.incarnation, known.resizes) for p, each in stretches.items()}
    log = Log(subscription.topic, known.log, generation, stretches, epochs)
    for partition, stretch in stretches.items():
        start = Fragment(
            log.topic, partition, epochs[partition], stretch.first, stretch.first - 1, generation, 0
        )
        store.write_aside(domain, [], notices.started(start).ledger, outcome_stamp(start))
    return log


def _expect_unread(source: Source, subscription: Subscription, partitions: range) -> None:
    commits = source.committed(partitions)
    if any(read_mark(commit.metadata) is not None for commit in commits.values()):
        raise TopicError(
            f"Storm has read {subscription.topic!r} as group {subscription.group!r}, and its "
            "states are not Flink's: without them Flink would decide otherwise. Give Flink a group "
            "and a keyspace of its own (kafka.group, cassandra.keyspace): it then decides the "
            "whole topic."
        )
