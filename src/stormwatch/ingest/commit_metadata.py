"""What the spout keeps in Kafka: the metadata of an offset commit, and a topic's epoch.

The metadata makes a restart safe: it tells how the last run ended and whether one record was alone
in flight when the process died. JSON, so that `kafka-consumer-groups` and people can read it.
"""

import msgspec

from stormwatch.errors import StateError
from stormwatch.ports import Committed, TopicInfo

VERSION = 1


class Mark(msgspec.Struct, frozen=True):
    """Metadata of one partition's commit."""

    version: int = msgspec.field(default=VERSION, name="v")
    generation: int = msgspec.field(default=0, name="g")  # starts of the spout, rising
    epoch: int = msgspec.field(default=0, name="e")  # of the topic when this was written
    clean: bool = msgspec.field(default=False, name="c")  # written at an orderly stop
    started: bool = msgspec.field(default=False, name="s")  # the start notice is stored
    tries: int = msgspec.field(default=0, name="t")  # deaths with the next record alone in flight
    span: int = msgspec.field(default=0, name="n")  # records of the guarded batch that starts here
    # (offset, ms): records up to there that Kafka's time is not believed of were read at that time
    dated: tuple[int, int] | None = msgspec.field(default=None, name="d")

    def text(self) -> str:
        """As the metadata of a commit."""
        return msgspec.json.encode(self).decode()


class Start(msgspec.Struct, frozen=True):
    """Where and how a partition is read from."""

    offset: int
    mark: Mark  # of the new generation
    cautious: bool  # the last run did not end in order


class Epoch(msgspec.Struct, frozen=True, array_like=True):
    """Value of the control key `epoch/<topic>`."""

    number: int
    topic_id: str
    partitions: int

    def of(self, info: TopicInfo) -> bool:
        """Whether this epoch is that of the topic as it is now."""
        return (self.topic_id, self.partitions) == (info.topic_id, info.partitions)


def read_mark(metadata: str) -> Mark | None:
    """The mark in a commit's metadata, None where the commit is not ours.

    Raises StateError for a mark of a newer version.
    """
    try:
        mark = msgspec.json.decode(metadata, type=Mark)
    except msgspec.DecodeError:
        return None
    if mark.version != VERSION:
        raise StateError(
            f"an offset commit has metadata of version {mark.version}, this program reads "
            f"{VERSION}: a newer Stormwatch wrote it. Start that version again."
        )
    return mark


def start_of(committed: Committed | None, epoch: int, low: int) -> Start:
    """How to begin: at the commit, else at the oldest record. Takes a new generation."""
    if committed is None:
        return Start(low, Mark(generation=1, epoch=epoch), cautious=False)
    # A commit that is not ours was set by hand: nothing is known of a crash.
    last = read_mark(committed.metadata) or Mark(clean=True)
    mark = Mark(
        generation=last.generation + 1,
        epoch=epoch,
        started=last.started and last.epoch == epoch,
        tries=0 if last.clean else last.tries,
        span=0 if last.clean else last.span,
        dated=last.dated,
    )
    return Start(committed.offset, mark, cautious=not last.clean)


def epoch_key(topic: str) -> str:
    """The control key of a topic's epoch."""
    return f"epoch/{topic}"


def write_epoch(epoch: Epoch) -> bytes:
    """As a control value."""
    return msgspec.msgpack.encode(epoch)


def read_epoch(value: bytes | None) -> Epoch | None:
    """What `write_epoch` made."""
    return None if value is None else msgspec.msgpack.decode(value, type=Epoch)
