"""What stores keep of logs without offsets."""

import pytest

from stormwatch.cursors import Anchor, Cursor
from stormwatch.ports import Store


@pytest.fixture
def log(unique) -> str:
    return f"kinesis:arn:aws:kinesis:us-east-1:0:stream/{unique('s')}@1.000"


def test_a_cursor_is_the_one_written_last_and_its_end_stays(store: Store, log: str) -> None:
    assert store.cursors(log, "g") == {}
    store.write_cursors(log, "g", {0: Cursor(5, '{"g":1}', "4" * 56), 7: Cursor(0, "", "")})
    assert store.cursors(log, "g") == {
        0: Cursor(5, '{"g":1}', "4" * 56), 7: Cursor(0, "", ""),
    }  # fmt: skip
    store.write_cursors(log, "g", {0: Cursor(6, "m", "5", 9)})
    store.write_cursors(log, "g", {0: Cursor(9, "n", "8")})
    assert store.cursors(log, "g")[0] == Cursor(9, "n", "8", 9)
    assert store.cursors(log, "other") == {} and store.cursors(log + "x", "g") == {}


def test_an_anchor_is_the_one_that_was_kept_first(store: Store, log: str) -> None:
    assert store.anchors(log, 0) == []
    assert store.anchor(log, 0, Anchor(20_000, "b")) == Anchor(20_000, "b")
    assert store.anchor(log, 0, Anchor(0, "a")) == Anchor(0, "a")
    assert store.anchor(log, 0, Anchor(0, "other")) == Anchor(0, "a")
    assert store.anchors(log, 0) == [Anchor(0, "a"), Anchor(20_000, "b")]
    assert store.anchors(log, 1) == []
