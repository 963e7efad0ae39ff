"""The port `Archive`, beyond `Store`: in memory and on Cassandra."""

import uuid

import msgspec
import pytest

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.archive import (
    DISCARDED,
    REDRIVEN,
    REDRIVING,
    AlertPlace,
    Archive,
    Erased,
    LetterAct,
)
from stormwatch.errors import StoreUnavailable
from stormwatch.records import Fragment, StateRow
from stormwatch.state.decided import QUARTER_MS
from stormwatch.state.envelope import VERSION, Envelope
from stormwatch.state.write_timestamps import outcome_stamp
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


@pytest.fixture
def name() -> str:
    return f"d{uuid.uuid4().hex[:10]}"


@pytest.fixture
def archive(store: Archive) -> Archive:
    return store


def test_all_set_aside_records_newest_day_first(archive: Archive, name: str) -> None:
    states = ("rejected", "late", "conflict", "dead_lettered")
    rows = [aside(i, state=states[i % 4], timestamp=NOW - i * DAY // 3) for i in range(20)]
    for partition in (0, 1):
        of = fragment(name, 0, 19, partition=partition, epoch=2)
        archive.write_aside(name, rows, ledger_row(of, "reject", rejected=[0]), 4)
    got = list(archive.asides(name))
    days = [letter.row.timestamp // DAY for letter in got]
    assert days == sorted(days, reverse=True)
    for partition in (0, 1):
        mine = [a.row for a in got if (a.topic, a.partition, a.epoch) == (name, partition, 2)]
        assert sorted(mine, key=lambda row: row.offset) == rows
    assert list(archive.asides("another")) == []


def test_one_set_aside_record_is_found_by_its_place(archive: Archive, name: str) -> None:
    rows = [
        aside(i, state="late" if i % 2 else "rejected", timestamp=NOW - i * DAY) for i in (3, 8)
    ]
    for epoch in (0, 1):
        of = fragment(name, 0, 9, epoch=epoch)
        archive.write_aside(name, rows, ledger_row(of, "reject", rejected=[0]), 4)
    (found,) = archive.find_asides(name, name, 0, 1, 8)
    assert (found.epoch, found.row) == (1, rows[1])
    for place in ((name, 0, 2, 8), (name, 0, 1, 4), (name, 1, 1, 8), ("other", 0, 1, 8)):
        assert archive.find_asides(name, *place) == []


def test_a_state_is_found_with_its_stamp(archive: Archive, name: str) -> None:
    archive.write_states(name, [state(stamp=7)])
    assert archive.find_state(name, 0, "entity-0") == state(stamp=7)
    assert archive.find_state(name, 1, "entity-0") is None


def test_acts_are_kept_beside_each_other_in_order(archive: Archive, name: str) -> None:
    acts = [
        LetterAct("t", 0, 0, 5, NOW, REDRIVING, "ann", "mended", 1, 90),
        LetterAct("t", 0, 0, 5, NOW + 1, REDRIVEN, "ann", "mended", 1, 94),
        LetterAct("t", 0, 0, 7, NOW, DISCARDED, "bob", "a test record"),
        LetterAct("t", 0, 1, 5, NOW, DISCARDED, "bob", ""),
    ]
    for act in (*reversed(acts), acts[0]):
        archive.write_act(name, act)
    archive.write_act(name, LetterAct("t", 1, 0, 5, NOW, DISCARDED, "bob", ""))
    assert archive.acts(name, "t", 0) == acts
    assert archive.acts(name, "u", 0) == archive.acts("another", "t", 0) == []


def test_every_decision_with_the_epoch_it_was_written_under(archive: Archive, name: str) -> None:
    rows = [decision(i, time=NOW - i * DAY, alert=i % 3 == 0) for i in range(50)]
    for epoch, some in ((0, rows[:20]), (33, rows[20:])):
        stamp = outcome_stamp(Fragment(name, 0, epoch, 0, 1, 4, 2))
        archive.write_outcomes(outcomes(name, some, stamp=stamp))
    found = sorted(archive.all_decisions(name), key=lambda stored: -stored.row.time)
    assert [stored.row for stored in found] == rows
    assert [stored.epoch for stored in found] == [0] * 20 + [33] * 30
    assert list(archive.all_decisions("another")) == []


def test_alerts_page_by_page_are_all_alerts_in_order(archive: Archive, name: str) -> None:
    times = [NOW - i // 3 * 7 - (i // 12) * DAY for i in range(30)]  # some at the same millisecond
    for partition in (0, 1):
        rows = [
            decision(i, time=NOW + i, timestamp=at, alert=True)
            for i, at in enumerate(times) if i % 2 == partition
        ]  # fmt: skip
        archive.write_outcomes(outcomes(name, rows, of=fragment(name, partition=partition)))
    whole = archive.alerts(name, 100)
    assert len(whole) == 30
    found = archive.alerts(name, 4)
    while page := archive.alerts_after(
        name, AlertPlace(found[-1].timestamp, found[-1].entity, found[-1].id), 4
    ):
        assert len(page) <= 4
        found += page
    assert found == whole


def test_what_was_decided_by_time_of_all_entities(archive: Archive, name: str) -> None:
    body = msgspec.json.encode({"model": "m1", "reasons": [{"code": "night", "text": "at night"}]})
    rows = [decision(i, timestamp=NOW + i * 400_700, body=body) for i in range(9)]  # an hour
    archive.write_outcomes(outcomes(name, rows[:4]), outcomes(name, rows[6:], of=fragment(name, 6)))
    again = fragment(name, 3, attempt=1)  # a try after it, and one of another partition
    archive.write_outcomes(outcomes(name, rows[3:5], of=again, stamp=2))
    archive.write_outcomes(outcomes(name, rows[5:6], of=fragment(name, partition=1)))
    found = [e for slot in archive.decided(name, NOW, NOW + DAY) for e in slot]
    assert [(e.stripe, e.entity, e.time, e.id, e.timestamp) for e in found] == [
        (r.stripe, r.entity, r.time, r.id, r.timestamp) for r in rows[::-1]
    ]  # fmt: skip
    assert {(e.outcome, e.model, e.codes) for e in found} == {("approve", "m1", ("night",))}
    assert [e.score for e in found] == [r.score for r in rows[::-1]]
    some = archive.decided(name, rows[2].timestamp, rows[5].timestamp)
    assert [e.id for slot in some for e in slot] == ["id-4", "id-3", "id-2"]
    assert not any(archive.decided(name, NOW - DAY, NOW))


def test_what_was_decided_in_many_works_within_a_quarter_of_an_hour(
    archive: Archive, name: str
) -> None:
    """More rows of the index than a first page has, from two partitions."""
    begin = NOW - NOW % QUARTER_MS
    rows = [decision(i, timestamp=begin + i * 1_500) for i in range(60)]
    for i, row in enumerate(rows):
        of = fragment(name, i, i, partition=i % 2)
        archive.write_outcomes(outcomes(name, [row], of=of, stamp=i + 1))
    slots = archive.decided(name, begin, begin + QUARTER_MS)
    assert [e.id for slot in slots for e in slot] == [row.id for row in reversed(rows)]
    newest = next(archive.decided(name, begin, begin + QUARTER_MS))
    assert [e.id for e in newest] == [rows[-1].id]


def test_the_newest_decisions_of_one_entity(archive: Archive, name: str) -> None:
    rows = [decision(i, stripe=0, entity="a/b", time=NOW - i * DAY // 5) for i in range(40)]
    other = [decision(i, stripe=0, entity="a/c", time=NOW - i * DAY // 5) for i in range(3)]
    archive.write_outcomes(outcomes(name, rows + other))
    beyond = (NOW + 1, "")
    assert archive.decisions_of(name, 0, "a/b", NOW - 30 * DAY, beyond, 100) == rows
    assert archive.decisions_of(name, 0, "a/b", NOW - 30 * DAY, beyond, 7) == rows[:7]
    last = (rows[6].time, rows[6].id)
    assert archive.decisions_of(name, 0, "a/b", NOW - 30 * DAY, last, 7) == rows[7:14]
    assert archive.decisions_of(name, 0, "a/b", rows[9].time, last, 7) == rows[7:10]
    assert archive.decisions_of(name, 0, "a/d", NOW - 30 * DAY, beyond, 7) == []


def test_of_each_entity_with_a_state_its_newest_decisions(archive: Archive, name: str) -> None:
    noon = NOW + DAY // 2  # all within one period
    rows = [
        decision(i, stripe=0, entity=f"a/{i % 3}", time=noon - i * 60_000) for i in range(12)
    ]  # fmt: skip
    archive.write_outcomes(outcomes(name, rows))
    assert archive.newest_decisions(name, 2, 10) == {}
    states = [
        StateRow(0, f"a/{i}", msgspec.msgpack.encode(
            Envelope(VERSION, 1, [], noon - i * 60_000, b"", None)
        ), 1) for i in range(2)
    ]  # fmt: skip
    archive.write_states(name, states)
    assert archive.newest_decisions(name, 2, 10) == {
        f"a/{i}": [row for row in rows if row.entity == f"a/{i}"][:2] for i in range(2)
    }
    assert len(archive.newest_decisions(name, 1, 1)) == 1


def test_a_store_that_is_down_is_told_by_every_call() -> None:
    store = MemoryStore()
    store.down = True
    for call in (
        lambda: store.asides("d"),
        lambda: store.find_asides("d", "t", 0, 0, 0),
        lambda: store.acts("d", "t", 0),
        lambda: next(store.all_decisions("d")),
        lambda: store.write_act("d", LetterAct("t", 0, 0, 0, 0, DISCARDED, "", "")),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_what_is_erased_is_gone_and_what_is_written_later_stands(
    archive: Archive, name: str
) -> None:
    rows = [decision(i, stripe=0, entity="gone", time=NOW - i, timestamp=NOW - i, alert=True)
            for i in range(4)]  # fmt: skip
    archive.write_outcomes(outcomes(name, rows, of=fragment(name)))
    erased = [Erased(0, "gone", row.time, row.id, name, 0, row.timestamp) for row in rows[:3]]
    assert archive.erase_decisions(name, erased) == 3
    assert archive.erase_decisions(name, erased) == 0
    assert archive.decisions_of(name, 0, "gone", NOW - DAY, (NOW + 1, ""), 9) == rows[3:]
    assert archive.alerts(name, 9) == rows[3:]
    left = [e.id for slot in archive.decided(name, NOW - DAY, NOW + 1) for e in slot]
    assert left == [rows[3].id]
    last = erased[0]._replace(id=rows[3].id, time=rows[3].time, timestamp=rows[3].timestamp)
    assert archive.erase_decisions(name, [last]) == 1
    assert not [e for slot in archive.decided(name, NOW - DAY, NOW + 1) for e in slot]
    rows = [decision(9, stripe=0, entity="gone")]
    archive.write_outcomes(outcomes(name, rows, of=fragment(name, attempt=3), stamp=5))
    archive.write_states(name, [state(stamp=7)])
    assert archive.erase_state(name, 0, "entity-0")
    assert not archive.erase_state(name, 0, "entity-0")
    archive.write_states(name, [state(stamp=8)])
    assert archive.find_state(name, 0, "entity-0") == state(stamp=8)
    of = fragment(name, 0, 9, epoch=2)
    archive.write_aside(name, [aside(5, state="late"), aside(6)], ledger_row(of, "r", late=[0]), 4)
    (late,) = [one for one in archive.asides(name) if one.row.offset == 5]
    assert archive.erase_asides(name, [late]) == 1
    assert [one.row.offset for one in archive.asides(name)] == [6]
