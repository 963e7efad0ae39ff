"""A position belongs to a log: topics renamed, replaced, cut and written again, groups moved."""

from random import Random

import pytest

from tests.models.logs import TOPIC, bench, whole


@pytest.mark.parametrize("group", ["stormwatch", "fresh"])
def test_a_topic_of_another_name_is_decided_whole(group: str) -> None:  # case 1
    with bench() as b:
        b.pay(10)
        assert whole(b.run(), 10)
        b.use("payments-v2")
        b.join(group)
        new = b.pay(8) + b.pay(4, "c2")
        assert b.run().states == {"scored": 12}
        assert set(new) <= b.decided()
        assert whole(b.ledger(), 12) and b.verified().sound and b.verified().offsets == 12
        b.use(TOPIC)
        b.join("stormwatch")
        assert whole(b.ledger(), 10) and b.verified().offsets == 10


def test_a_topic_of_the_same_name_in_another_kafka_is_decided_whole() -> None:  # case 2
    with bench() as b:
        b.pay(10)
        b.run()
        b.another_kafka()
        new = b.pay(8) + b.pay(4, "c2")
        before = b.ledger()
        assert (before.states, before.in_flight, before.known) == ({}, 12, False)
        assert b.run().states == {"scored": 12}
        assert set(new) <= b.decided()
        assert whole(b.ledger(), 12) and b.verified().sound


def test_a_log_that_was_cut_and_written_again() -> None:  # cases 3 and 4
    for written_before in (False, True):
        with bench() as b:
            for _ in range(10):  # one after another, so that each is taken
                b.pay(1)
                b.run()
            b.broker.truncate(TOPIC, 0, 6)
            if not written_before:
                b.run()
                assert b.ledger().states == {"scored": 6}
            new = b.pay(8)
            b.run()
            assert "this is not the log that was read" in b.said()
            assert set(new) <= b.decided()
            found = b.ledger()
            assert sum(found.states.values()) == 14 and found.sound and not found.in_flight
            assert found.states["scored"] >= 8 and set(found.states) <= {"scored", "duplicate"}
            assert b.verified().sound


def test_a_group_moved_on_by_hand_and_back() -> None:  # case 5
    with bench() as b:
        b.pay(10)
        b.run()
        skipped = b.pay(6)
        b.commit(16)
        b.pay(4)
        b.run()
        assert "moved on to offset 16 by hand; reading had come to 10" in b.said()
        found = b.ledger()
        assert (found.unread, found.unaccounted, found.states) == (6, 0, {"scored": 14})
        assert [(r.first, r.last) for r in found.partitions[0].unread_ranges] == [(10, 15)]
        assert not b.decided() & set(skipped)
        b.commit(10)
        b.run()
        assert set(skipped) <= b.decided()
        assert whole(b.ledger(), 20) and b.verified().sound
        decisions = dict(b.made.world.store.tables["decisions"])
        for offset in (0, 13, 18, 20):
            b.commit(offset)
            b.run()
            assert whole(b.ledger(), 20) and b.verified().sound
        assert b.made.world.store.tables["decisions"] == decisions


def test_a_monitor_does_not_go_on_with_the_figures_of_the_old_topic() -> None:  # case 7
    with bench() as b:
        b.pay(24)
        b.run()
        commits = dict(b.broker.commits["stormwatch", TOPIC])
        b.admin.delete_topic(TOPIC)
        b.admin.ensure_topic(TOPIC, 4, {})
        for n in range(24):
            b.pay(1, f"c{n}", n % 4)
        for left_over in ({}, commits):
            b.broker.commits["stormwatch", TOPIC] = left_over
            found = b.ledger()
            assert (found.states, found.in_flight, found.unaccounted) == ({}, 24, 0)
            assert not found.known
            assert b.verified().offsets == 0
        b.run()
        assert whole(b.ledger(), 24)
        assert "is of another log" in b.said()


def test_a_store_that_was_restored_from_a_backup() -> None:
    with bench() as b:
        b.pay(10)
        b.run()
        kept = b.backup()
        gone = b.pay(15)
        b.run()
        b.restore(kept)
        new = b.pay(5)
        found = b.run()
        assert "15 of the last 25 offsets that were acknowledged have no end state" in b.said()
        assert f"./stormwatch redecide {TOPIC}" in b.said()
        assert (found.unaccounted, found.in_flight) == (15, 0)
        assert b.decided() & set(gone) == set()
        [each] = b.redecide()
        assert (each.first, each.committed, each.offsets) == (10, 30, 15)
        assert whole(b.run(), 30) and b.verified().sound
        assert {*gone, *new} <= b.decided()
        assert b.redecide() == []
        decisions = dict(b.made.world.store.tables["decisions"])
        for offset in (0, 12, 27):
            b.commit(offset)
            assert whole(b.run(), 30) and b.verified().sound
        assert b.made.world.store.tables["decisions"] == decisions
        b.pay(3)
        assert whole(b.run(), 33)


@pytest.mark.parametrize("seed", range(4))
def test_a_store_that_lost_rows_here_and_there(seed: int) -> None:
    random = Random(seed)
    with bench() as b:
        for _ in range(12):
            if random.random() < 0.3:  # as transactions and compaction leave them
                b.broker.skip(TOPIC, 0, random.randint(1, 3))
            b.pay(random.randint(1, 6))
            b.run()
        tables = b.made.world.store.tables
        for key in list(tables["ledger"]):
            if random.random() < 0.4:
                del tables["ledger"][key]
        before = b.ledger()
        assert before.unaccounted
        b.redecide()
        b.pay(2)
        found = b.run()
        assert found.sound and not found.in_flight and not found.unaccounted
