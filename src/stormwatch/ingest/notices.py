"""What the spout itself reports to the ledger: where reading began, what was lost or set aside.

A notice travels like a batch, on the stream `notices`, to the component that stores rows aside.
"""

from stormwatch.codec import Asides
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import EndState, Fragment, LedgerRow, Record, SetAside

EXPIRED_CHUNK = 1 << 16
"""Offsets in one expired row at most: 8 KiB of bitmap."""


def started(fragment: Fragment) -> Asides:
    """Reading of this epoch begins at fragment.first; the fragment is empty."""
    return Asides([], LedgerRow(fragment, "start", {}, 0))


def expired(fragment: Fragment) -> Asides:
    """Kafka deleted these offsets before they were read."""
    bits = bitmap_of(range(fragment.first, fragment.last + 1), fragment.first)
    return Asides([], LedgerRow(fragment, "spout", {EndState.EXPIRED.value: bits}, 0))


def quarantined(fragment: Fragment, record: Record, tries: int, component: str) -> Asides:
    """The last offset of the fragment kills its process; those before it hold no record."""
    row = SetAside(
        offset=record.offset,
        timestamp=record.timestamp,
        state=EndState.DEAD_LETTERED.value,
        code="kills_process",
        reason=f"The topology died {tries} times while this record was the only one in work.",
        component=component,
        key=record.key,
        raw=record.value,
    )
    first, last = fragment.first, fragment.last
    bitmaps = {EndState.DEAD_LETTERED.value: bitmap_of([last], first)}
    if first < last:
        bitmaps[EndState.ABSENT.value] = bitmap_of(range(first, last), first)
    return Asides([row], LedgerRow(fragment, "spout", bitmaps, 0))
