"""What is remembered of a unit's sensors: a row of 90 bytes each, and 64 bytes of the unit.

While the first LEARNING values of a sensor are kept they stand where later its means are.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from struct import Struct

from stormwatch.domains.maintenance.equipment.document import MOST_SENSORS
from stormwatch.errors import StateError
from stormwatch.state.envelope import MENDS

LEARNING = 12
"""Readings of a sensor that begin its normal."""
RARE = Struct("<30H")
"""The histograms of the unit: see `surprise`."""
ROW = Struct("<8sqHHHdd12f")
"""Digest of the name, time (ms) of the newest value, values learned, run of one value, longest run
before it, newest value, centre; smallest step, spread, lowest and highest value, level (three as
distances from the centre), cosine and sine of the day, near and far mean of what is left, scale of
it; readings of the unit since its newest, and the share of them that has the sensor."""
SIZE = ROW.size
GONE = Struct("<2f")
"""The last two of a row."""

_MARK = b"\xff\x02"  # no count of rows: the layout before had at most 64
_HEAD = len(_MARK) + 2 + RARE.size
YOUNG = Struct("<8sqHHHddf")
"""The beginning of a row; while a sensor is being learned its first values follow."""
MEANS, MEANS_AT = Struct("<2f"), YOUNG.size + 6 * 4
"""The near and far mean, and where in a row they are."""
_KEPT = Struct("<f")
_MEAN_OF_NORMAL = 0.8  # the mean distance of normal noise from its mean, in its deviations
Young = tuple[bytes, int, int, int, int, float, float, float]
_OLD = Struct("<8sqHHHddff")


@lru_cache(4096)
def digest_of(name: str) -> bytes:
    """What a sensor's name is remembered by."""
    return blake2b(name.encode(), digest_size=8).digest()


class Normals:
    """The rows, the counts of the unit's histograms, and what `health` keeps of its suspects."""

    __slots__ = ("rare", "rows", "watched")

    def __init__(self, body: bytes, unit: str) -> None:
        """Raises StateError for a `body` of another layout."""
        if body[:2] == _MARK:
            end = _HEAD + body[2] * SIZE
            if len(body) != end + body[3]:
                raise _other(body, unit, end + body[3])
            self.rare = list(RARE.unpack_from(body, 4))
            self.rows, self.watched = bytearray(body[_HEAD:end]), body[end:]
        else:
            self.rare, self.watched = [0] * 30, b""
            self.rows = _old(body, unit) if body else bytearray()

    @property
    def packed(self) -> bytes:
        """The bytes to store."""
        head = _MARK + bytes((len(self.rows) // SIZE, len(self.watched)))
        return head + RARE.pack(*self.rare) + self.rows + self.watched

    def find(self, digest: bytes) -> int:
        """Where a sensor's row begins; -1 where there is none."""
        rows = self.rows
        at = rows.find(digest)
        while at >= 0 and at % SIZE:
            at = rows.find(digest, at + 1)
        return at

    def place(self, digest: bytes, nominal: float, noise: float) -> int:
        """Where a sensor's row is, or now begins: by the fleet's normal, if `noise` is not 0.

        Beyond MOST_SENSORS the sensor that was not heard of for longest leaves.
        """
        at = self.find(digest)
        if at >= 0:
            return at
        at = len(self.rows)
        if at >= MOST_SENSORS * SIZE:
            at = min(range(0, at, SIZE), key=lambda each: YOUNG.unpack_from(self.rows, each)[1])
        self.clear(at, digest, 0)
        if noise:
            self.put(
                at, (digest, 0, LEARNING, 0, 0, 0.0, nominal, 0.0), noise, -3 * noise, 3 * noise
            )
        return at

    def clear(self, at: int, digest: bytes, time: int) -> None:
        """Know nothing of a sensor; what it read until `time` is not learned."""
        self.rows[at : at + SIZE] = bytes(SIZE)
        YOUNG.pack_into(self.rows, at, digest, time, 0, 0, 0, 0.0, 0.0, 0.0)

    def put(self, at: int, young: Young, spread: float, low: float, high: float) -> None:
        """Write a row whose means begin; `low`, `high`: as distances from its centre."""
        scale = spread * _MEAN_OF_NORMAL
        ROW.pack_into(self.rows, at, *young, spread, low, high, *[0.0] * 5, scale, 0.0, 1.0)

    def first(self, at: int) -> tuple[Young, list[float]]:
        """The row of a sensor that is being learned, and the values kept of it."""
        row = YOUNG.unpack_from(self.rows, at)
        begin = at + YOUNG.size
        kept = self.rows[begin : begin + row[2] * _KEPT.size]
        return row, [each for (each,) in _KEPT.iter_unpack(kept)]

    def keep(self, at: int, row: Young, kept: list[float]) -> None:
        """Write such a row."""
        YOUNG.pack_into(self.rows, at, *row)
        for nth, value in enumerate(kept):
            _KEPT.pack_into(self.rows, at + YOUNG.size + nth * _KEPT.size, value)


def _old(body: bytes, unit: str) -> bytearray:
    """The rows of the layout before this one: what is new begins empty."""
    end = 2 + body[0] * _OLD.size
    found = list(_OLD.iter_unpack(body[2:end])) if len(body) >= end else []
    young = sum(row[2] for row in found if row[2] < LEARNING)
    if not found or len(body) != end + young * _KEPT.size:
        raise _other(body, unit, end + young * _KEPT.size)
    made = Normals(b"", unit)
    kept = (each for (each,) in _KEPT.iter_unpack(body[end:]))
    for at, row in enumerate(found):
        *young, spread, step = row
        reach = 3 * max(spread, step)
        made.rows += bytes(SIZE)
        if row[2] < LEARNING:
            made.keep(at * SIZE, (*young, step), list(islice(kept, row[2])))
        else:
            made.put(at * SIZE, (*young, step), spread, -reach, reach)
    return made.rows


def _other(body: bytes, unit: str, size: int) -> StateError:
    return StateError(
        f"the state of {unit} has {len(body)} bytes where {size} are meant: another version wrote "
        f"it. {MENDS}"
    )


def forget(body: bytes, name: str, time: int, unit: str) -> bytes:
    """`body` without what it knows of a sensor; what it read until `time` is not learned again.

    Raises StateError for a `body` of another layout.
    """
    if not body:
        return body
    found, digest = Normals(body, unit), digest_of(name)
    if (at := found.find(digest)) >= 0:
        found.clear(at, digest, time)
        found.watched = b""
    return found.packed


def known(body: bytes, unit: str) -> Iterator[tuple[int, float, float]]:
    """Of each sensor known: readings learned, centre and spread; in the order of their coming."""
    rows = Normals(body, unit).rows
    for at in range(0, len(rows), SIZE):
        _, _, count, _, _, _, centre, step, spread = ROW.unpack_from(rows, at)[:9]
        yield count, centre, max(spread, step) if count >= LEARNING else step


def known_of(body: bytes, name: str, unit: str) -> tuple[float, float] | None:
    """Centre and spread of one sensor; None as long as they are not known."""
    found = Normals(body, unit)
    at = found.find(digest_of(name))
    row = ROW.unpack_from(found.rows, at) if at >= 0 else None
    return (row[6], max(row[7], row[8])) if row and row[2] >= LEARNING else None
