"""What every store promises: in memory, on a real Cassandra and on Spanner's emulator."""

import random
import time
from collections.abc import Callable

import pytest

from stormwatch.ledger.coverage import BLOCK
from stormwatch.ledger.reconcile import START
from stormwatch.ports import Store
from stormwatch.records import DecisionKey, DecisionRow, LedgerRow, StateRow
from tests.contracts.store_rows import (
    DAY,
    NOW,
    aside,
    decision,
    fragment,
    ledger_row,
    outcomes,
    state,
)

ODD = [
    "", " ", "a'b\"c", "%s ? $$", "naïve\u0000null", "\u202eright to left", "🌩" * 40, "0", "-1",
    "a/b\\c", "x" * 4000, "\ufeff", "e\u0301", "é", "\n\t",
]  # fmt: skip


@pytest.fixture
def name(unique: Callable[[str], str]) -> str:
    return unique("d")


def key_of(row: DecisionRow) -> DecisionKey:
    return DecisionKey(row.stripe, row.entity, row.time, row.id)


def found(store: Store, name: str, rows: list[DecisionRow]) -> list[DecisionRow]:
    return sorted(store.find_decisions(name, [key_of(r) for r in rows]), key=lambda r: r.id)


def blobs(store: Store, name: str, rows: list[StateRow]) -> dict[str, bytes]:
    asked: dict[int, list[str]] = {}
    for r in rows:
        asked.setdefault(r.stripe, []).append(r.entity)
    return store.load_states(name, asked)


def test_states_come_back_and_unknown_entities_are_left_out(store: Store, name: str) -> None:
    rows = [state(i, b"blob %d" % i) for i in range(20)]
    store.write_states(name, rows[:10])
    assert blobs(store, name, rows) == {r.entity: r.blob for r in rows[:10]}
    assert store.load_states(name, {}) == {}
    assert store.load_states(name, {3: []}) == {}
    assert store.load_states("another", {0: ["entity-0"]}) == {}


def test_terms_rise_for_each_domain(store: Store, name: str) -> None:
    assert [store.next_term(name) for _ in range(3)] == [1, 2, 3]
    assert store.next_term(f"{name}x") == 1


def begin_a_second() -> None:
    """TTLs are counted in whole seconds: what follows lies well within one."""
    while not 0.1 < time.time() % 1 < 0.4:
        time.sleep(0.02)


@pytest.mark.parametrize(
    "store", ["memory", pytest.param("cassandra", marks=pytest.mark.integration)], indirect=True
)
def test_of_equal_stamps_the_one_written_in_a_later_second_wins(store: Store, name: str) -> None:
    """Every row has a TTL, and what expires later wins; within a second the larger value does."""
    for blobs_ in ((b"z", b"a"), (b"a", b"z")):
        begin_a_second()
        for blob in blobs_:
            store.write_states(name, [state(blob=blob, stamp=5)])
        assert store.load_states(name, {0: ["entity-0"]}) == {"entity-0": b"z"}
        time.sleep(1.1)
    for blob in (b"m", b"b"):
        store.write_states(name, [state(blob=blob, stamp=5)])
        assert store.load_states(name, {0: ["entity-0"]}) == {"entity-0": blob}
        time.sleep(1.1)
    store.write_states(name, [state(blob=b"older", stamp=4)])
    assert store.load_states(name, {0: ["entity-0"]}) == {"entity-0": b"b"}


def test_an_older_stamp_loses_whenever_it_is_written(store: Store, name: str) -> None:
    for stamp in (5, 7, 6, 1):
        store.write_states(name, [state(blob=b"%d" % stamp, stamp=stamp)])
    assert blobs(store, name, [state()]) == {"entity-0": b"7"}
    # Of a zombie's batch the rows that are older lose, the others stand.
    store.write_states(name, [state(0, b"zombie", 6), state(1, b"first", 6)])
    assert blobs(store, name, [state(0), state(1)]) == {"entity-0": b"7", "entity-1": b"first"}


def test_writing_the_same_again_changes_nothing(store: Store, name: str) -> None:
    rows = [decision(i, alert=i % 2 == 0) for i in range(6)]
    batch = outcomes(name, rows, set_aside=[aside(9)])
    f = batch.fragment
    for _ in range(3):
        store.write_outcomes(batch)
        store.write_states(name, [state(i) for i in range(6)])
    assert found(store, name, rows) == rows
    assert len(store.alerts(name, 100)) == 3
    assert [a.row for a in store.set_aside(name, 100)] == [aside(9)]
    assert list(store.ledger(f.topic, 0, 0, 0, 99)) == [batch.ledger]


def test_a_later_attempt_replaces_the_decision_and_joins_the_ledger(
    store: Store, name: str
) -> None:
    first = decision(alert=True, score=0.9, outcome="decline", body=b"longer body")
    later = decision(alert=False, score=0.1, outcome="approve", body=b"b")
    store.write_outcomes(outcomes(name, [first], stamp=10))
    store.write_outcomes(outcomes(name, [later], stamp=11))
    store.write_outcomes(outcomes(name, [first], stamp=9))  # a zombie
    assert found(store, name, [first]) == [later]
    tried, again = fragment(name, 0, 1), fragment(name, 0, 1, attempt=1)
    rows = [ledger_row(tried, dead_lettered=[0], scored=[1]), ledger_row(again, dead_lettered=[0])]
    for row in [*rows, ledger_row(fragment(name, 0, 1, attempt=2))]:  # the last decided nothing
        store.write_aside(name, [], row, 10 + row.fragment.attempt)
    assert list(store.ledger(name, 0, 0, 0, 1)) == rows


def test_an_alert_that_another_version_took_back_is_not_told(store: Store, name: str) -> None:
    first = [decision(i, alert=True, outcome="review") for i in range(4)]
    later = [decision(i, alert=i == 2, outcome="review" if i == 2 else "approve") for i in (0, 2)]
    store.write_outcomes(outcomes(name, first, stamp=10))  # and dies before the commit
    store.write_outcomes(outcomes(name, later, stamp=11))
    assert {row.id for row in store.alerts(name, 10)} == {first[i].id for i in (1, 2, 3)}


def test_odd_entities_ids_and_bodies(store: Store, name: str) -> None:
    rows = [
        decision(i, entity=odd, id=odd, body=odd.encode(), outcome="review")
        for i, odd in enumerate(ODD)
    ]
    states = [StateRow(i % 4, odd, odd.encode() or b"\x00", 3) for i, odd in enumerate(ODD)]
    store.write_outcomes(outcomes(name, rows))
    store.write_states(name, states)
    assert found(store, name, rows) == sorted(rows, key=lambda r: r.id)
    assert blobs(store, name, states) == {r.entity: r.blob for r in states}


def test_numbers_at_their_ends(store: Store, name: str) -> None:
    rows = [
        decision(0, score=-0.0, time=0, timestamp=0),
        decision(1, score=1e-6, time=-1, timestamp=NOW),
        decision(2, score=1.7976931348623157e308, time=253_402_300_799_999),
    ]
    store.write_outcomes(outcomes(name, rows, stamp=2**50 - 1))
    assert found(store, name, rows) == rows
    store.write_states(name, [state(blob=b"", stamp=0), state(1, bytes(range(256)) * 100)])
    assert blobs(store, name, [state(0), state(1)])["entity-1"] == bytes(range(256)) * 100


def test_a_large_batch_of_many_partitions(store: Store, name: str) -> None:
    shuffled = list(range(2500))
    random.Random(4).shuffle(shuffled)
    rows = [decision(i, time=NOW - i * DAY // 500, body=b"x" * 900) for i in shuffled]
    states = [state(i, b"s" * 400) for i in shuffled]
    store.write_outcomes(outcomes(name, rows))
    store.write_states(name, states)
    assert found(store, name, rows) == sorted(rows, key=lambda r: r.id)
    assert len(blobs(store, name, states)) == 2500


def test_large_set_aside_records(store: Store, name: str) -> None:
    rows = [aside(i, raw=bytes([i]) * 200_000, reason="trace " * 2000) for i in range(90)]
    of = fragment(name, 0, 89)
    store.write_aside(name, rows, ledger_row(of, "reject", rejected=list(range(90))), 1)
    assert [a.row for a in store.set_aside(name, 1000)] == rows[::-1]


def test_decisions_are_found_by_their_whole_key(store: Store, name: str) -> None:
    rows = [decision(i, stripe=1) for i in range(5)]
    store.write_outcomes(outcomes(name, rows))
    assert store.find_decisions(name, []) == []
    keys = [key_of(r) for r in rows[1:3]]
    keys += [replace_key(keys[0], time=keys[0].time + 1), replace_key(keys[0], id="other")]
    keys += [replace_key(keys[0], stripe=2), replace_key(keys[0], time=keys[0].time - 40 * DAY)]
    assert sorted(store.find_decisions(name, keys), key=lambda r: r.id) == rows[1:3]
    assert store.find_decisions("another", keys) == []


def replace_key(key: DecisionKey, **change: object) -> DecisionKey:
    fields = {"stripe": key.stripe, "entity": key.entity, "time": key.time, "id": key.id}
    return DecisionKey(**(fields | change))  # type: ignore[arg-type]


def test_alerts_are_newest_first_over_days_and_partitions(store: Store, name: str) -> None:
    assert store.alerts(name, 10) == []
    written = []
    for partition in range(3):
        rows = [
            decision(i, timestamp=NOW - ((i * 7 + partition) % 40) * DAY // 8 - partition,
                     id=f"{partition}-{i}", alert=i % 5 != 0)
            for i in range(40)
        ]  # fmt: skip
        of = fragment(f"{name}-t", partition * 100, partition * 100 + 39, partition=partition)
        store.write_outcomes(outcomes(name, rows, of=of))
        written += [r for r in rows if r.alert]
    newest = sorted(written, key=lambda r: (-r.timestamp, r.entity, r.id))
    for limit in (1, 7, 50, 1000):
        assert store.alerts(name, limit) == newest[:limit]


def test_set_aside_records_of_all_states_newest_first(store: Store, name: str) -> None:
    states = ("rejected", "late", "conflict", "dead_lettered")
    rows = [aside(i, state=states[i % 4], timestamp=NOW - i * DAY // 6) for i in range(30)]
    rows[3] = aside(3, state="dead_lettered", key=None, raw=None, timestamp=rows[3].timestamp)
    of = fragment(name, 0, 29, partition=2, epoch=5)
    store.write_aside(name, rows, ledger_row(of, "reject", rejected=[0]), 4)
    for limit in (1, 5, 100):
        got = store.set_aside(name, limit)
        assert [a.row for a in got] == rows[:limit]
        assert {(a.topic, a.partition, a.epoch) for a in got} == {(name, 2, 5)}


def test_the_ledger_is_read_in_order_across_blocks(store: Store, name: str) -> None:
    spans = [(BLOCK - 500 + i * 100, BLOCK - 401 + i * 100) for i in range(12)]
    spans += [(3 * BLOCK + 5, 3 * BLOCK + 9), (BLOCK - 50, 2 * BLOCK - 51)]
    rows = [ledger_row(fragment(name, a, b), scored=[a, b]) for a, b in spans]
    rows.append(ledger_row(fragment(name, BLOCK, BLOCK + 3), "reject", late=[BLOCK]))
    for row in reversed(rows):
        store.write_aside(name, [], row, 1)
    store.write_aside(name, [], ledger_row(fragment(name, 0, 9, epoch=1), scored=[0]), 1)
    store.write_aside(name, [], ledger_row(fragment(name, 0, 9, partition=1), scored=[0]), 1)
    order = lambda r: (r.fragment.first, r.fragment.last, r.part)  # noqa: E731
    for first, last in (
        (0, 9 * BLOCK), (BLOCK, BLOCK), (BLOCK - 1, BLOCK), (0, BLOCK - 501),
        (BLOCK - 50, 3 * BLOCK),
        (2 * BLOCK - 51, 2 * BLOCK - 51), (3 * BLOCK + 9, 4 * BLOCK), (5 * BLOCK, 6 * BLOCK),
    ):  # fmt: skip
        got = list(store.ledger(name, 0, 0, first, last))
        want = [r for r in rows if r.fragment.first <= last and r.fragment.last >= first]
        assert got == sorted(want, key=order), (first, last)


def test_the_attempt_that_wrote_a_ledger_row_is_kept(store: Store, name: str) -> None:
    row = ledger_row(fragment(name, 0, 1, generation=7, attempt=3), scored=[0])
    store.write_aside(name, [], row, 1)
    assert list(store.ledger(name, 0, 0, 0, 0)) == [row]


def test_a_row_of_millions_of_offsets_comes_back_in_pieces(store: Store, name: str) -> None:
    of = fragment(name, 100, 100 + 3 * BLOCK)
    row = LedgerRow(of, "spout", {"expired": b"\xff" * (3 * BLOCK // 8) + b"\x01"}, 0)
    store.write_aside(name, [], row, 1)
    got = list(store.ledger(name, 0, 0, 0, 9 * BLOCK))
    assert [r.fragment.first for r in got] == [100 + i * BLOCK for i in range(4)]
    assert b"".join(r.bitmaps["expired"] for r in got) == row.bitmaps["expired"]


def test_starts_are_kept_apart_from_the_ledger(store: Store, name: str) -> None:
    for partition, epoch, first in ((0, 0, 40), (0, 0, 7), (1, 0, 0), (0, 1, 90), (0, 0, 7)):
        of = fragment(name, first, first - 1, partition=partition, epoch=epoch)
        store.write_aside(name, [], LedgerRow(of, START, {}, 0), 1)
    assert sorted(store.ledger_starts(name)) == [(0, 0, 7), (0, 0, 40), (0, 1, 90), (1, 0, 0)]
    assert store.ledger_starts("another") == []
    assert list(store.ledger(name, 0, 0, 0, 100)) == []


def test_meters_keep_the_last_of_each_instance(store: Store, name: str) -> None:
    for body in (b"1", b"2"):
        store.write_meter(name, "score", "a", body)
        settle(store, name, body)
    store.write_meter(name, "score", "b", b"3")
    settle(store, name, b"3")
    assert store.meters(name) == {("score", "a"): b"2", ("score", "b"): b"3"}
    assert store.meters("another") == {}


def settle(store: Store, name: str, body: bytes) -> None:
    """A meter is not waited for by the store."""
    for _ in range(10_000):
        if body in store.meters(name).values():
            return
    pytest.fail(f"the meter {body!r} was never stored")
