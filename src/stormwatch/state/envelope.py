"""What is kept of one entity: marks, known ids and the domain's state, as one compact blob.

Blobs are immutable bytes: decoding one is taking a private copy, which is how a batch works on
copies and throws them away when anything fails.
"""

import struct
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from zlib import crc32

import msgspec

from stormwatch.epochs import incarnation, same_incarnation
from stormwatch.errors import StateError

VERSION = 1
"""Of the envelope. A blob of another version is refused, never guessed at."""

MARKS_MAX = 32
"""Marks kept of one entity. Beyond it the oldest goes: of a log that is read once more from before
that, the entity's records would be known by their ids alone."""

S = TypeVar("S")

_ID = struct.Struct("<8sII")  # id hash, payload checksum, event time in seconds
_SECONDS = struct.Struct("<I").unpack_from
_encode = msgspec.msgpack.Encoder().encode


class Envelope(msgspec.Struct, Generic[S], array_like=True):
    """State of an entity around the domain's own part.

    `marks` holds [partition, epoch, offset] of the last record applied from each stretch of a log
    that carried the entity, MARKS_MAX at most; the one applied last stands last. `ids` is a packed
    ring of the ids decided of late, by their events' times. `newest` is the greatest event time
    seen, ms. `stamp` orders writes. `floor`: ids of events before this time, s, may have been given
    up for want of room; 0 as long as none was.
    """

    version: int
    stamp: int
    marks: list[tuple[int, int, int]]
    newest: int
    ids: bytes
    body: S
    floor: int = 0


MENDS = (
    "Run the version of Stormwatch that wrote it, or start this entity afresh: "
    "`./stormwatch state reset`."
)


class EnvelopeCodec(Generic[S]):
    """Envelopes of one domain to blobs and back, bit for bit."""

    def __init__(self, state: type[S], new: Callable[[], S] | None = None) -> None:
        """`new` makes the domain's part of an entity that was started afresh."""
        kind: Any = Envelope[state]  # type: ignore[valid-type]
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._new = new or state
        config = getattr(state, "__struct_config__", None)
        self._trims = bool(config and config.array_like and config.omit_defaults)
        self._least = len(state.__struct_fields__) - getattr(state, "TRIMMED", 1)  # type: ignore[attr-defined]

    def encode(self, envelope: Envelope[S]) -> bytes:
        """The blob. Of a state that is `array_like` with `omit_defaults` a last field that is None
        is left out, of its last TRIMMED fields all that are: so one can be added, and what has
        none of it keeps its bytes."""
        body: Any = envelope.body
        if not self._trims:
            return _written(envelope, body)
        cells = msgspec.structs.astuple(body)
        end = len(cells)
        while cells[end - 1] is None and end > self._least:
            end -= 1
        return _written(envelope, body if end == len(cells) else cells[:end])

    def decode(self, blob: bytes, entity: str) -> Envelope[S]:
        """Raises StateError if this version of the code cannot read the blob."""
        try:
            envelope: Envelope[S] = self._decoder.decode(blob)
        except msgspec.DecodeError as error:
            afresh = _afresh(blob)
            if afresh is None:
                raise StateError(
                    f"the stored state of {entity!r} cannot be read ({error}): another version "
                    f"wrote it. {MENDS}"
                ) from error
            envelope = msgspec.structs.replace(afresh, body=self._new())
        if envelope.version != VERSION:
            raise StateError(
                f"the stored state of {entity!r} has version {envelope.version}, this code reads "
                f"version {VERSION}. {MENDS}"
            )
        return envelope


def reset(blob: bytes, stamp: int, now: int) -> bytes:
    """The state that starts an entity afresh: what its domain knows is gone.

    What tells decided records from others stays as far as `blob`, the state as it is or nothing,
    can be read: marks and ids. The newest event time stays, too, but not beyond `now` (ms): a
    record dated far ahead no longer makes all others late. To be written with `stamp`.
    """
    try:
        old = _any.decode(blob)
    except msgspec.DecodeError:
        old = None
    if old is None or old.version != VERSION:
        old = Envelope(VERSION, 0, [], 0, b"", msgspec.Raw())
    return _written(
        Envelope(VERSION, stamp, old.marks, min(old.newest, now), old.ids, None, old.floor), None
    )


def newest_of(blob: bytes) -> int:
    """The greatest event time that an entity's state has seen, ms; 0 where it cannot be read."""
    try:
        return _any.decode(blob).newest
    except msgspec.DecodeError:
        return 0


def same_but_for_order(one: bytes, other: bytes) -> bool:
    """Whether two states of an entity that several logs feed differ in no more than what tells in
    which order these were read: the stamp, and the order of the marks."""
    try:
        found = [_any.decode(blob) for blob in (one, other)]
    except msgspec.DecodeError:
        return False
    several = len({incarnation(epoch) for _, epoch, _ in found[0].marks}) > 1
    told = [
        (e.version, sorted(e.marks), e.newest, e.ids, bytes(e.body), e.floor) for e in found
    ]  # fmt: skip
    return several and told[0] == told[1]


_any = msgspec.msgpack.Decoder(Envelope[msgspec.Raw])
_no_body: msgspec.msgpack.Decoder[Envelope[Any]] = msgspec.msgpack.Decoder(Envelope[None])


def _afresh(blob: bytes) -> Envelope[Any] | None:
    """What `reset` made, None for anything else."""
    try:
        return _no_body.decode(blob)
    except msgspec.DecodeError:
        return None


def _written(e: Envelope[Any], body: object) -> bytes:
    if e.floor:
        return _encode((e.version, e.stamp, e.marks, e.newest, e.ids, body, e.floor))
    # The bytes are what they were before there was `floor`.
    return _encode((e.version, e.stamp, e.marks, e.newest, e.ids, body))


Believed = Sequence[tuple[int, int, int]]
"""(incarnation, from, to) of other stretches of the same log: `records.Fragment.believed`."""


def is_decided(
    marks: list[tuple[int, int, int]], partition: int, epoch: int, offset: int,
    believed: Believed = (),
) -> bool:  # fmt: skip
    """Whether this record was applied before: a mark of a stretch that holds it has reached it.

    Marks of the fragment's own incarnation count whatever their epoch, for offsets run on when
    partitions are added; of the stretches in `believed` where they are believed; no others: they
    are of another log, or of offsets that were read after a gap.
    """
    for marked, mark_epoch, mark in marks:
        if marked == partition and mark >= offset:
            number = incarnation(mark_epoch)
            if number == incarnation(epoch):
                return True
            if any(each == number and low <= offset < high for each, low, high in believed):
                return True
    return False


def is_next(marks: list[tuple[int, int, int]], partition: int, epoch: int, offset: int) -> bool:
    """Whether the one mark there is stands before this record in its own stretch, which is nearly
    always so: nothing is decided or misplaced then, and `advance_marks` only moves it."""
    if len(marks) != 1:
        return False
    marked, mark_epoch, mark = marks[0]
    return marked == partition and mark_epoch == epoch and mark < offset


def advance_marks(
    marks: list[tuple[int, int, int]], partition: int, epoch: int, offset: int
) -> None:
    """Set the mark of the partition's stretch, in place, and move it to the end."""
    if len(marks) == 1 and marks[0][0] == partition and same_incarnation(marks[0][1], epoch):
        marks[0] = (partition, epoch, offset)
        return
    kept = [m for m in marks if m[0] != partition or not same_incarnation(m[1], epoch)]
    marks[:] = [*kept[-MARKS_MAX + 1 :], (partition, epoch, offset)]


def marks_of_others(
    marks: list[tuple[int, int, int]], epoch: int
) -> tuple[tuple[int, int, int], ...]:
    """The marks of other logs than that of `epoch`."""
    return tuple((p, e, o) for p, e, o in marks if not same_incarnation(e, epoch))


def is_misplaced(marks: list[tuple[int, int, int]], partition: int, epoch: int) -> bool:
    """Whether the entity was last seen on another partition under the same partition count."""
    return bool(marks) and marks[-1][0] != partition and marks[-1][1] == epoch


def find_id(ids: bytes, digest: bytes) -> tuple[int, int] | None:
    """(payload checksum, event time in s) of a known id, or None.

    The youngest: an older one with this id may stand before it, out of its time but not yet
    dropped.
    """
    at = ids.rfind(digest)
    while at >= 0:
        if at % _ID.size == 0:
            _, checksum, seconds = _ID.unpack_from(ids, at)
            return checksum, seconds
        at = ids.rfind(digest, 0, at + len(digest) - 1)
    return None


def remember_id(
    ids: bytes, digest: bytes, checksum: int, seconds: int, oldest: int, limit: int
) -> tuple[bytes, int, int]:
    """`ids` with one more, by event time; those before `oldest` (s) are dropped, and then the
    oldest of more than `limit`. Besides: how many had to go before their time, for want of room,
    and the second after the youngest of them."""
    size = _ID.size
    keep, end = 0, len(ids)
    while keep < end and _seconds(ids, keep) < oldest:
        keep += size
    at = end
    while at > keep and _seconds(ids, at - size) > seconds:
        at -= size
    ids = ids[keep:at] + _ID.pack(digest, checksum, seconds) + ids[at:]
    given_up = len(ids) // size - limit
    if given_up <= 0:
        return ids, 0, 0
    youngest = max(_seconds(ids, nth * size) for nth in range(given_up))
    return ids[given_up * size :], given_up, youngest + 1


def with_last_id(ids: bytes, digest: bytes, seconds: int, limit: int) -> bytes:
    """`ids` with one more at its end; of more than `limit` the first are dropped."""
    return (ids + _ID.pack(digest, 0, seconds))[-limit * _ID.size :]


def _seconds(ids: bytes, at: int) -> int:
    found: int = _SECONDS(ids, at + 12)[0]
    return found


def digest_of(event_id: str) -> bytes:
    """64 bits of BLAKE2b: two ids of one entity collide once in 2**64 pairs."""
    return blake2b(event_id.encode(), digest_size=8).digest()


def checksum_of(event: object) -> int:
    """32 bits over the payload: tells a repeated record from a changed one.

    Over the event's `content` if it has one: the fields that make it another record.
    """
    return crc32(_encode(getattr(event, "content", event)))
