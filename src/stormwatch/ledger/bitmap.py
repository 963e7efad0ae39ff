"""Sets of offsets as bitmaps, the form in which `records.LedgerRow` keeps them.

Bit i (byte i // 8, bit i % 8, least significant first) stands for offset `first + i`. A bitmap is
as short as its greatest offset allows, so equal sets have equal bytes; the empty set is b"".
"""

from collections.abc import Iterable


def bitmap_of(offsets: Iterable[int], first: int) -> bytes:
    """The bitmap of `offsets`, in any order. Raises ValueError for one below `first`."""
    indexes = [offset - first for offset in offsets]
    if not indexes:
        return b""
    if (lowest := min(indexes)) < 0:
        raise ValueError(f"offset {first + lowest} lies before the fragment's first, {first}")
    bits = bytearray(max(indexes) // 8 + 1)
    for index in indexes:
        bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def offsets(bitmap: bytes, first: int) -> list[int]:
    """The offsets of a bitmap, ascending."""
    return [
        first + 8 * position + bit
        for position, byte in enumerate(bitmap)
        if byte
        for bit in range(8)
        if byte >> bit & 1
    ]


def count(bitmap: bytes) -> int:
    """How many offsets a bitmap holds."""
    return int.from_bytes(bitmap, "little").bit_count()
