"""Rows written as bytes are those that the protobuf library makes, a message for each cell."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import ListValue
from hypothesis import given
from hypothesis import strategies as st

values: Any = pytest.importorskip(
    "stormwatch.adapters.spanner.values", reason="pip install -r requirements/spanner.txt"
)

CELLS = {
    "text": st.text(max_size=3_000),
    "number": st.integers(-(1 << 63), (1 << 63) - 1),
    "fraction": st.floats(),
    "bytes": st.binary(max_size=3_000),
    "said": st.booleans(),
    "perhaps": st.none() | st.integers(0, 9),
    "never": st.none(),
    "any": st.none() | st.text(max_size=9) | st.integers(0, 9) | st.floats() | st.booleans(),
    "list": st.lists(st.text(max_size=4)),
}
ROWS = st.lists(st.tuples(*CELLS.values()), max_size=12)
COLUMNS = ", ".join(CELLS).replace("any", "`any`")


@given(ROWS, st.booleans())
def test_a_write_is_the_message_that_the_library_makes(
    rows: list[tuple[Any, ...]], new: bool
) -> None:
    kind = "insert" if new else "insert_or_update"
    made = {"table": "things", "columns": list(CELLS), "values": _values(rows)}
    assert values.writes("things", COLUMNS, rows, new=new) == values.Change(**{kind: made})


@given(ROWS)
def test_keys_are_the_messages_that_the_library_makes(rows: list[tuple[Any, ...]]) -> None:
    assert values.keys(rows) == values.Keys(keys=_values(rows))
    assert values.deletes("things", rows).delete.key_set == values.keys(rows)


@pytest.mark.parametrize("size", [0, 1, 124, 125, 127, 128, 2_047, 2_048, 16_383, 16_384, 1 << 21])
def test_texts_of_any_length_are_framed(size: int) -> None:
    rows: list[tuple[Any, ...]] = [("x" * size, b"y" * size), ("z" * size, b"")]
    assert list(values.keys(rows).keys) == _values(rows)


def _values(rows: list[tuple[Any, ...]]) -> list[ListValue]:
    return [ListValue(values=map(values.cell, row)) for row in rows]
