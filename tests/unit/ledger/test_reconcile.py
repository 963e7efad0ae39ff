"""The ledger against a naive model: every offset, every state, every way to cut batches."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.ledger import coverage
from stormwatch.ledger.bitmap import bitmap_of, offsets
from stormwatch.ledger.reconcile import START, reconcile, segments, split, total
from stormwatch.records import EndState, Fragment, LedgerRow

STATES = [str(s) for s in EndState]


def row(first: int, last: int, ends: dict[int, str], part: str = "score") -> LedgerRow:
    by_state = defaultdict(list)
    for offset, state in ends.items():
        by_state[state].append(offset)
    bits = {state: bitmap_of(found, first) for state, found in by_state.items()}
    return LedgerRow(Fragment("t", 0, 0, first, last, 1, 0), part, bits, 5)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[LedgerRow], int, int, int]:
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, 60))
        last = first + draw(st.integers(0, 20))
        ends = draw(st.dictionaries(st.integers(first, last), st.sampled_from(STATES)))
        rows.append(row(first, last, ends, draw(st.sampled_from(["score", "reject"]))))
    first, end, committed = (draw(st.integers(0, 90)) for _ in range(3))
    return sorted(rows, key=lambda r: r.fragment.first), first, end, committed


@given(logs())
@settings(max_examples=300)
def test_counts_equal_a_naive_model(log: tuple[list[LedgerRow], int, int, int]) -> None:
    rows, first, end, committed = log
    seen = defaultdict(set)
    for r in rows:
        for state, bits in r.bitmaps.items():
            for offset in offsets(bits, r.fragment.first):
                seen[offset].add(state)
    for states in seen.values():
        if len(states) > 1:
            states.discard("expired")
    span = range(first, end)
    got = reconcile(3, rows, first, end, committed)
    assert got.states == {s: n for s in STATES if (n := sum(s in seen[o] for o in span))}
    lost = [o for o in span if not seen[o] and o < committed]
    assert got.unaccounted == len(lost)
    assert got.in_flight == sum(not seen[o] and o >= committed for o in span)
    torn = [o for o in span if len(seen[o]) > 1]
    assert got.conflicting == len(torn)
    named = [o for r in got.unaccounted_ranges for o in range(r.first, r.last + 1)]
    assert named == lost
    named = {o: set(r.states) for r in got.conflicting_ranges for o in range(r.first, r.last + 1)}
    if len(got.conflicting_ranges) < coverage.EXAMPLES:
        assert named == {o: seen[o] for o in torn}


def test_what_met_its_end_before_it_expired_has_that_end() -> None:
    """Of a batch under way at the stop the reject bolt said a word; then Kafka deleted it all."""
    half = row(10, 19, {10: "rejected", 14: "rejected"}, "reject")
    gone = row(10, 29, dict.fromkeys(range(10, 30), "expired"), "spout")
    got = reconcile(0, [half, gone], 10, 30, 30)
    assert got.states == {"rejected": 2, "expired": 18}
    assert not got.conflicting and not got.unaccounted


@given(logs(), st.integers(1, 30))
@settings(max_examples=100)
def test_the_window_does_not_show(log: tuple[list[LedgerRow], int, int, int], block: int) -> None:
    rows, first, end, committed = log
    whole = reconcile(0, rows, first, end, committed)
    before = coverage.BLOCK, coverage._WINDOW
    try:
        coverage.BLOCK, coverage._WINDOW = 21, 21 + block
        got = reconcile(0, rows, first, end, committed)
    finally:
        coverage.BLOCK, coverage._WINDOW = before
    assert got.states == whole.states
    assert (got.unaccounted, got.in_flight, got.conflicting) == (
        whole.unaccounted, whole.in_flight, whole.conflicting,
    )  # fmt: skip


def test_a_planted_loss_and_a_planted_contradiction_are_found_in_millions() -> None:
    rows, size, count = [], 1000, 3_000
    for i in range(count):
        first = i * size
        ends = dict.fromkeys(range(first, first + size), "scored")
        if i == 1234:
            del ends[first + 17]
        rows.append(row(first, first + size - 1, ends))
        if i == 2000:
            rows.append(row(first + 3, first + 3, {first + 3: "rejected"}, "reject"))
    end = size * count
    got = reconcile(0, rows, 0, end, end)
    assert got.unaccounted == got.conflicting == 1
    assert (got.unaccounted_ranges[0].first, got.unaccounted_ranges[0].last) == (1234017, 1234017)
    assert got.conflicting_ranges[0].first == 2_000_003
    assert set(got.conflicting_ranges[0].states) == {"scored", "rejected"}
    assert got.states == {"scored": end - 1, "rejected": 1}


def test_the_same_batch_twice_is_no_contradiction() -> None:
    again = row(0, 1, {0: "scored", 1: "late"})
    cut = [row(0, 0, {0: "scored"}), row(1, 1, {1: "late"})]
    got = reconcile(0, [again, *cut], 0, 2, 2)
    assert (got.conflicting, got.unaccounted) == (0, 0)


def test_start_rows_and_rows_past_the_end_count_for_nothing() -> None:
    rows = [row(0, -1, {}, START), row(5, 6, {5: "scored", 6: "scored"}), row(9, 9, {9: "late"})]
    got = reconcile(0, rows, 5, 6, 6)
    assert got.states == {"scored": 1}


def test_rows_out_of_order_or_too_long_are_refused() -> None:
    with pytest.raises(ValueError, match="out of order"):
        reconcile(0, [row(5, 5, {}), row(4, 4, {})], 0, 9, 9)
    with pytest.raises(ValueError, match="longer"):
        reconcile(0, [row(0, coverage.BLOCK, {})], 0, 9, 9)


def test_splitting_a_long_row_keeps_every_offset() -> None:
    last = 3 * coverage.BLOCK + 70_000
    ends = dict.fromkeys(range(100, last + 1, 3), "expired") | {101: "absent"}
    pieces = list(split(row(100, last, ends, "spout")))
    assert [p.fragment.first for p in pieces] == [100 + i * coverage.BLOCK for i in range(4)]
    assert pieces[-1].fragment.last == last
    assert all("absent" not in p.bitmaps for p in pieces[1:])
    got = reconcile(0, pieces, 100, last + 1, 0)
    assert got.states == {"expired": len(ends) - 1, "absent": 1}
    assert list(split(pieces[0])) == [pieces[0]]


@pytest.mark.parametrize(
    ("starts", "first", "want"),
    [
        ([], None, []),
        ([(0, 0)], None, [(0, 0, 100)]),
        ([(0, 7), (0, 3)], None, [(0, 3, 100)]),  # reading began twice: the first counts
        ([(0, 0), (1, 40)], None, [(0, 0, 40), (1, 40, 100)]),  # partitions were added
        ([(0, 0), (1, 40), (2, 0)], None, [(2, 0, 100)]),  # the topic was made again
        ([(0, 50), (1, 0), (2, 60)], None, [(1, 0, 60), (2, 60, 100)]),
        ([(1, 10), (32, 40)], None, [(32, 40, 100)]),  # made again, its first records expired
        ([(0, 0), (1, 40)], 30, [(0, 30, 40), (1, 40, 100)]),
        ([(0, 0), (1, 40)], 70, [(1, 70, 100)]),
        ([(1, 40)], 10, [(1, 10, 100)]),  # asked for what lies before the start: unaccounted
        ([(0, 0), (1, 200)], None, [(0, 0, 100)]),
        ([(0, 0), (1, 40), (2, 40)], None, [(0, 0, 40), (2, 40, 100)]),  # twice, nothing between
        ([(0, 0), (1, 50), (2, 40)], None, [(0, 0, 40), (2, 40, 100)]),
    ],
)
def test_segments(
    starts: list[tuple[int, int]], first: int | None, want: list[tuple[int, int, int]]
) -> None:
    assert segments(starts, first, 100) == want


def test_totals_and_their_json_form() -> None:
    whole = reconcile(0, [row(0, 1, {0: "scored", 1: "rejected"})], 0, 2, 2)
    open_ = reconcile(1, [row(0, 0, {0: "scored"})], 0, 3, 2)
    topic = total("t", [whole, open_])
    assert topic.states == {"scored": 2, "rejected": 1}
    assert (topic.unaccounted, topic.in_flight, topic.sound) == (1, 1, False)
    assert total("t", [whole]).sound
    plain = topic.to_dict()
    assert plain["sound"] is False
    assert plain["partitions"][1]["unaccounted_ranges"] == [{"first": 1, "last": 1, "states": []}]
