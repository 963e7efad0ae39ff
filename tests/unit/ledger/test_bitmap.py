"""Bitmaps of offsets: sets to bytes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.ledger import bitmap

FIRSTS = st.integers(0, 1 << 40)
INDEXES = st.sets(st.integers(0, 3000))


@given(FIRSTS, INDEXES)
def test_a_set_comes_back(first, indexes):
    wanted = sorted(first + i for i in indexes)
    bits = bitmap.bitmap_of(wanted[::-1], first)
    assert bitmap.offsets(bits, first) == wanted
    assert bitmap.count(bits) == len(wanted)


@given(FIRSTS, INDEXES)
def test_each_bit_stands_where_the_ledger_says(first, indexes):
    bits = bitmap.bitmap_of([first + i for i in indexes], first)
    assert all(bits[i // 8] >> i % 8 & 1 for i in indexes)


@given(FIRSTS, INDEXES, INDEXES)
def test_union_is_or_and_equal_sets_have_equal_bytes(first, left, right):
    one, other, both = (
        bitmap.bitmap_of([first + i for i in indexes], first)
        for indexes in (left, right, left | right)
    )
    merged = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    assert merged.to_bytes(len(both), "little") == both


def test_the_empty_set_is_no_bytes():
    assert bitmap.bitmap_of([], 7) == b""
    assert bitmap.offsets(b"", 7) == []
    assert bitmap.offsets(b"\x00\x00", 7) == []


def test_an_offset_before_the_first_is_refused():
    with pytest.raises(ValueError, match="offset 6 lies before"):
        bitmap.bitmap_of([9, 6], 7)
