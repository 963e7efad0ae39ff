"""What the spout keeps in Kafka: the metadata of an offset commit, and a topic's epoch.

The metadata makes a restart safe: it tells of which log the offset is, how the last run ended and
whether one record was alone in flight when the process died. JSON, so that
`kafka-consumer-groups` and people can read it.
"""

from base64 import urlsafe_b64encode
from json import JSONDecodeError, JSONDecoder
from uuid import UUID

import msgspec

from stormwatch.epochs import incarnation
from stormwatch.errors import StateError
from stormwatch.ports import TopicInfo
from stormwatch.records import Fingerprint
from stormwatch.stretches import Stretch

VERSION = 1


class Mark(msgspec.Struct, frozen=True):
    """Metadata of one partition's commit."""

    version: int = msgspec.field(default=VERSION, name="v")
    generation: int = msgspec.field(default=0, name="g")  # starts of the spout, rising
    epoch: int = msgspec.field(default=0, name="e")  # of the topic when this was written
    clean: bool = msgspec.field(default=False, name="c")  # written at an orderly stop
    started: bool = msgspec.field(default=False, name="s")  # the start notice is stored
    tries: int = msgspec.field(default=0, name="t")  # deaths with the next record alone in flight
    span: int = msgspec.field(default=0, name="n")  # so many records from here are suspected
    alone: bool = msgspec.field(default=False, name="a")  # a death with nothing beside them says so
    log: str = msgspec.field(default="", name="l")  # "": written before it was kept
    offset: int = msgspec.field(default=-1, name="o")  # the commit's: another was set by hand
    fingerprint: Fingerprint | None = msgspec.field(
        default=None, name="k"
    )  # of the last record before it
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
    believed: tuple[tuple[int, int, int], ...] = ()  # as `records.Fragment` has it
    decided: tuple[
        tuple[int, int], ...
    ] = ()  # (first, end) of what is to be passed over, ascending


class Epoch(msgspec.Struct, frozen=True, array_like=True):
    """Value of the control key `epoch/<topic>`."""

    number: int
    topic_id: str
    partitions: int

    def of(self, info: TopicInfo) -> bool:
        """Whether this epoch is of the topic's present log."""
        return topic_id(self.topic_id) == topic_id(info.topic_id)


def topic_id(text: str) -> str:
    """A topic's id as Kafka's own tools spell it: base64 with `-` and `_`.

    kafka-python spells it as a UUID, librdkafka in base64 with `+` and `/`: both are read.
    """
    try:
        spelled = UUID(text) if text[8:9] == "-" else None
    except ValueError:
        return text
    if spelled is None:
        return text.replace("+", "-").replace("/", "_")
    return urlsafe_b64encode(spelled.bytes).decode().rstrip("=")


def metadata_text(raw: str | bytes | None) -> str:
    """A commit's metadata without what stands behind its JSON.

    librdkafka writes a closing NUL and, where it reads what another client wrote, may read beyond
    the end.
    """
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw or ""
    if text.startswith("{"):
        try:
            return text[: JSONDecoder().raw_decode(text)[1]]
        except JSONDecodeError:
            pass
    return text.partition("\0")[0]


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


def is_of(mark: Mark | None, log: str, stretches: tuple[Stretch, ...] | list[Stretch]) -> bool:
    """Whether a commit's mark is of this log, of which these stretches are known."""
    if mark is None:
        return False
    if mark.log:
        return mark.log == log
    return any(incarnation(mark.epoch) == stretch.incarnation for stretch in stretches)


def start_of(offset: int, last: Mark | None, log: str, epoch: int, generation: int) -> Start:
    """Reading that begins at `offset`. `last`: the mark that it goes on from, None for none."""
    # Of a commit that is not ours nothing is known of a crash.
    last = last or Mark(clean=True)
    mark = Mark(
        generation=generation,
        epoch=epoch,
        started=last.started and last.epoch == epoch,
        tries=0 if last.clean else last.tries,
        span=0 if last.clean else last.span,
        alone=not last.clean and last.alone,
        log=log,
        fingerprint=last.fingerprint,
        dated=last.dated,
    )
    return Start(offset, mark, cautious=not last.clean)


def epoch_key(topic: str) -> str:
    """The control key of a topic's epoch."""
    return f"epoch/{topic}"


def write_epoch(epoch: Epoch) -> bytes:
    """As a control value."""
    return msgspec.msgpack.encode(epoch)


def read_epoch(value: bytes | None) -> Epoch | None:
    """What `write_epoch` made."""
    return None if value is None else msgspec.msgpack.decode(value, type=Epoch)
