"""The index of decisions by Kafka's time: what was decided of late, of whatever entity.

`decisions` is kept by entity. A row of this index is of one work on a micro-batch and one second of
Kafka's time, and names all that was decided then: one small blob instead of a row for each. A
process may die before the commit, and another version decide otherwise: `decisions` says what
stands.
"""

from collections.abc import Iterable, Sequence

import msgspec

from stormwatch.records import DecisionRow

SLOT_MS, QUARTER_MS = 1_000, 900_000
"""Kafka's time of a row, and of a partition of rows."""
_QUARTERS = (1 << 31) - 1  # of a column `int`


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One decision, and what lists are filtered by."""

    stripe: int
    entity: str
    time: int  # of the event, ms
    id: str
    timestamp: int  # Kafka's, ms
    outcome: str
    model: str  # its version; "none": by rules alone
    codes: tuple[str, ...]  # of its reasons
    score: float


class _Coded(msgspec.Struct, gc=False):
    code: str


class _Body(msgspec.Struct, gc=False):
    """What is taken of a decision's JSON."""

    model: str = ""
    reasons: tuple[_Coded, ...] = ()


_body = msgspec.json.Decoder(_Body).decode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


def quarter_of(timestamp: int) -> int:
    """The partition of rows of a Kafka time, which is any 64-bit number."""
    return max(-_QUARTERS, min(timestamp // QUARTER_MS, _QUARTERS))


def slots(rows: Sequence[DecisionRow]) -> dict[int, bytes]:
    """Slot -> the entries of a batch's decisions in it."""
    groups: dict[int, list[Entry]] = {}
    for r in rows:
        told = _told(r.body)
        codes = tuple([reason.code for reason in told.reasons])
        slot = r.timestamp // SLOT_MS
        group = groups.get(slot)
        if group is None:
            group = groups[slot] = []
        group.append(
            Entry(
                r.stripe, r.entity, r.time, r.id, r.timestamp, r.outcome, told.model, codes, r.score
            )
        )
    return {slot: _encode(entries) for slot, entries in groups.items()}


def _told(body: bytes) -> _Body:
    try:
        return _body(body)
    except msgspec.MsgspecError:  # of a bolt that writes bodies of its own
        return _Body()


def in_order(blobs: Iterable[bytes]) -> list[Entry]:
    """The entries of one slot, each decision once, newest first by Kafka's time."""
    found = {(e.entity, e.time, e.id): e for blob in blobs for e in _decode(blob)}
    return sorted(found.values(), key=lambda e: (-e.timestamp, e.entity, e.id))


def without(blob: bytes, gone: Iterable[tuple[str, int, str]]) -> bytes | None:
    """The entries less those of (entity, time, id); None where none is left."""
    erased = set(gone)
    left = [e for e in _decode(blob) if (e.entity, e.time, e.id) not in erased]
    return _encode(left) if left else None
