"""What is kept of one entity: marks, known ids and the domain's state, as one compact blob.

Blobs are immutable bytes: decoding one is taking a private copy, which is how a batch works on
copies and throws them away when anything fails.
"""

import struct
from collections.abc import Sequence
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
_encode = msgspec.msgpack.Encoder().encode


class Envelope(msgspec.Struct, Generic[S], array_like=True):
    """State of an entity around the domain's own part.

    `marks` holds [partition, epoch, offset] of the last record applied from each stretch of a log
    that carried the entity, MARKS_MAX at most; the one applied last stands last. `ids` is a
    packed ring of the ids decided of late. `newest` is the greatest event time seen, ms. `stamp`
    orders writes.
    """

    version: int
    stamp: int
    marks: list[tuple[int, int, int]]
    newest: int
    ids: bytes
    body: S


class EnvelopeCodec(Generic[S]):
    """Envelopes of one domain to blobs and back, bit for bit."""

    def __init__(self, state: type[S]) -> None:
        kind: Any = Envelope[state]  # type: ignore[valid-type]
        self._decoder = msgspec.msgpack.Decoder(kind)

    def encode(self, envelope: Envelope[S]) -> bytes:
        return _encode(envelope)

    def decode(self, blob: bytes, entity: str) -> Envelope[S]:
        """Raises StateError if this version of the code cannot read the blob."""
        try:
            envelope: Envelope[S] = self._decoder.decode(blob)
        except msgspec.DecodeError as error:
            raise StateError(
                f"the stored state of {entity!r} cannot be read ({error}): it was written by "
                "another version. Run that version, or delete the row from `states` to start "
                "this entity afresh."
            ) from error
        if envelope.version != VERSION:
            raise StateError(
                f"the stored state of {entity!r} has version {envelope.version}, this code reads "
                f"version {VERSION}. Run the version of Stormwatch that wrote it."
            )
        return envelope


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


def advance_marks(
    marks: list[tuple[int, int, int]], partition: int, epoch: int, offset: int
) -> None:
    """Set the mark of the partition's stretch, in place, and move it to the end."""
    if len(marks) == 1 and marks[0][0] == partition and same_incarnation(marks[0][1], epoch):
        marks[0] = (partition, epoch, offset)
        return
    kept = [m for m in marks if m[0] != partition or not same_incarnation(m[1], epoch)]
    marks[:] = [*kept[-MARKS_MAX + 1 :], (partition, epoch, offset)]


def is_misplaced(marks: list[tuple[int, int, int]], partition: int, epoch: int) -> bool:
    """Whether the entity was last seen on another partition under the same partition count."""
    return bool(marks) and marks[-1][0] != partition and marks[-1][1] == epoch


def find_id(ids: bytes, digest: bytes) -> tuple[int, int] | None:
    """(payload checksum, event time in s) of a known id, or None.

    The one remembered last: an older one with this id may stand before it, out of its time but not
    yet dropped, for only the front of the ring is.
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
) -> bytes:
    """`ids` with one more; from the front, ids before `oldest` (s) and over `limit` are dropped."""
    keep = 0
    end = len(ids)
    size = _ID.size
    while keep < end and (
        (end - keep) // size >= limit
        or int.from_bytes(ids[keep + 12 : keep + 16], "little") < oldest
    ):
        keep += size
    return ids[keep:] + _ID.pack(digest, checksum, seconds)


def digest_of(event_id: str) -> bytes:
    """64 bits of BLAKE2b: two ids of one entity collide once in 2**64 pairs."""
    return blake2b(event_id.encode(), digest_size=8).digest()


def checksum_of(event: object) -> int:
    """32 bits over the whole payload: tells a repeated record from a changed one."""
    return crc32(_encode(event))
