"""How often a shard is read, and that what was trimmed unread is not passed over silently."""

from typing import Any

import pytest

from stormwatch.adapters.kinesis.client import Got, Pace, Shard
from stormwatch.adapters.kinesis.counting import GAP, Counting
from stormwatch.adapters.kinesis.source import width
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.cursors import Anchor, Cursor
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import is_rekeyed
from stormwatch.ports import Watermarks
from stormwatch.settings import Settings


def test_a_shard_is_read_five_times_and_for_two_megabytes_a_second() -> None:
    now = [100.0]
    pace = Pace(5.0, lambda: now[0])
    assert pace.due(0) <= now[0]
    pace.read(0, 0)
    assert pace.due(0) == pytest.approx(100.2) and pace.due(1) <= now[0]
    pace.read(0, 10_000_000)
    assert pace.due(0) == pytest.approx(105.0)
    waits = []
    for _ in range(7):
        pace.throttled(0)
        waits.append(round(pace.due(0) - now[0], 3))
    assert waits == [0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    pace.read(0, 0)
    pace.throttled(0)
    assert pace.due(0) == pytest.approx(100.4)


def test_the_width_seldom_changes() -> None:
    assert [width(n) for n in ([], [0], [15], [3, 16], [31], [32], [1000])] == [
        16, 16, 16, 32, 32, 64, 1024,
    ]  # fmt: skip


def test_shards_end_so_their_keys_are_repartitioned() -> None:
    assert is_rekeyed(Settings(source="kinesis"), "transactions")
    assert not is_rekeyed(Settings(), "transactions")
    with pytest.raises(SettingsError, match=r"topology\.chain = true"):
        is_rekeyed(Settings(source="kinesis", topology_chain=False), "transactions")


class Stub:
    """A shard of which the oldest records were trimmed."""

    def __init__(self, first: int, end: int) -> None:
        self.first, self.end = first, end

    def iterator(self, shard: Shard, at: str = "", after: str = "") -> str:
        return str(max(self.first, int(at or 0), int(after or -1) + 1))

    def records(self, iterator: str, limit: int) -> tuple[list[Got], str | None, bool]:
        start = int(iterator)
        end = min(self.end, start + limit)
        found = [Got(str(n), b"k", b"v", 0) for n in range(start, end)]
        return found, str(end), end == self.end


def counting(stub: Any, store: MemoryStore, cursor: Cursor | None = None) -> Counting:
    return Counting(stub, lambda: store, "log", Shard("shardId-000000000000", 0, ()), cursor)


def test_what_was_trimmed_unread_moves_the_count_on_by_a_gap() -> None:
    store, stub = MemoryStore(), Stub(0, 100)
    first = counting(stub, store)
    assert first.watermarks() == Watermarks(0, 100)
    assert store.anchors("log", 0) == [Anchor(0, "0")]
    first.read(0, [Got(str(n), b"k", b"v", 0) for n in range(60)])
    assert first.committed(50) == "49"
    again = Cursor(50, "", "49")
    stub.first = 40  # older ones are gone, and were read
    assert counting(stub, store, again).watermarks() == Watermarks(49, 100)
    stub.first = 80  # 50 to 79 were not
    assert counting(stub, store, again).watermarks() == Watermarks(49 + GAP, 49 + GAP + 20)
    assert counting(stub, store, again).watermarks() == Watermarks(49 + GAP, 49 + GAP + 20)
    stub.first = stub.end = 100
    end = counting(stub, store, again).watermarks()
    assert end.low == end.high == 49 + GAP + 1


def test_anchors_stand_apart_and_the_commits_sequence_is_known() -> None:
    store = MemoryStore()
    made = counting(Stub(0, 0), store)
    for first in range(0, 50_000, 1_000):
        made.read(first, [Got(str(7 * n), b"k", b"v", 0) for n in range(first, first + 1_000)])
        assert made.committed(first + 1_000) == str(7 * (first + 999))
    assert [each.offset for each in store.anchors("log", 0)] == [0, 10_999, 20_999, 30_999, 40_999]
    assert made.committed(123) == ""
