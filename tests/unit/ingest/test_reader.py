"""The reader of a spout task over Kafka in memory, with a clock that the test moves."""

import logging
from itertools import pairwise
from random import Random
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.codec import Asides
from stormwatch.epochs import epoch_of
from stormwatch.errors import BrokerRefused, StateError, TopicError
from stormwatch.ingest.commit_metadata import read_mark
from stormwatch.ingest.in_flight import BATCHES, NOTICES, InFlight
from stormwatch.ingest.partition import FEW, PIECES
from stormwatch.ingest.reader import BUSY_POLL_S, PACE_S, SLOWEST_PACE_S, WAIT_S, Reader
from stormwatch.ingest.retry import REFUSED_MAX_S
from stormwatch.ports import Committed, Held
from stormwatch.stretches import OPEN
from tests.models.reader import LIMITS, RULES, Counting, World, spans


def test_a_batch_has_what_came_up_to_the_moment_it_is_sent() -> None:
    world = World(partitions=1)
    world.write(0, 1)
    first = [item for item in world.drain(turns=3) if item.stream == BATCHES]
    assert first
    world.write(0, 2)
    held = world.reader.step()  # in flight, with two records
    while not held:
        world.now += PACE_S
        held = world.reader.step()
    world.write(0, 3)
    world.now += PACE_S
    assert world.reader.step() == []  # polled, not sent: one batch is in flight
    world.write(0, 4)
    world.reader.ack(held[0].tup_id)
    world.now += PACE_S
    sent = world.reader.step()
    assert [item.fragment.last - item.fragment.first + 1 for item in sent] == [7]


def test_a_poll_waits_only_while_there_is_nothing_to_send() -> None:
    world = World(partitions=1)
    world.drain(turns=3)
    world.waits.clear()
    for _ in range(5):
        world.now += PACE_S
        world.reader.step()
    assert all(wait > 0 for wait in world.waits), "an idle stream would spin"
    world.write(0, 1)
    sent: list[InFlight] = []
    while not sent:
        world.now += PACE_S
        sent = world.reader.step()
    world.write(0, 1)
    for _ in range(5):
        world.now += PACE_S
        world.reader.step()
    world.waits.clear()
    world.reader.ack(sent[0].tup_id)
    world.now += PACE_S
    assert world.reader.step()
    assert world.waits == [0.0]


def test_every_record_in_order_each_start_told_and_the_end_committed():
    world = World()
    world.write(0, 25)
    world.write(1, 3)
    items = world.drain()
    assert spans(items, NOTICES) == [(0, 0, -1), (1, 0, -1)]
    batches = sorted(spans(items))
    assert [b for b in batches if b[0] == 1] == [(1, 0, 2)]
    assert batches[0] == (0, 0, 9)
    assert [o for _, a, b in batches[:-1] for o in range(a, b + 1)] == list(range(25))
    assert world.committed() == {0: 25, 1: 3}
    assert world.commits[0] is True  # the generation, before anything was sent


def test_one_item_in_flight_a_partition_until_its_ack():
    world = World()
    world.write(0, 25)
    (notice,) = [i for i in world.reader.step() if i.fragment.partition == 0]
    assert [i for _ in range(20) for i in world.reader.step()] == []
    world.reader.ack(notice.tup_id)
    (batch,) = world.reader.step()
    world.reader.ack(notice.tup_id)
    assert [i for _ in range(20) for i in world.reader.step()] == []
    world.reader.fail(batch.tup_id)
    world.now += 10
    (again,) = world.reader.step()
    assert again is batch
    assert again.fragment.attempt == 1


def test_tasks_share_partitions_and_agree_on_the_epoch():
    world = World(partitions=5)
    for partition in range(5):
        world.write(partition, 2)
    first, seen = world.reader, []
    for reader in (first, world.start(1, 2)):
        world.reader = reader
    first = world.start(0, 2)
    seen.append(spans(world.drain()))
    world.start(1, 2)
    seen.append(spans(world.drain()))
    assert [{p for p, _, _ in each} for each in seen] == [{0, 2, 4}, {1, 3}]


def test_a_record_on_an_idle_stream_goes_at_once_and_what_follows_goes_together():
    world = World(partitions=1)
    world.drain()
    world.write(0, 1)
    (first,) = world.reader.step()
    world.reader.ack(first.tup_id)
    world.write(0, 3)
    sent_at = world.now
    turn = Reader.step  # without the time that a turn takes in this world
    while world.now < sent_at + PACE_S - 0.0005:
        assert turn(world.reader) == []
        assert 0 < world.reader.pause_s <= WAIT_S
        world.now += 0.001
    world.now = sent_at + SLOWEST_PACE_S
    (rest,) = turn(world.reader)
    assert spans([first, rest]) == [(0, 0, 0), (0, 1, 3)]


@pytest.mark.parametrize(("took", "pace"), [(0.002, PACE_S), (0.030, 0.030), (2.0, SLOWEST_PACE_S)])
def test_rounds_are_as_far_apart_as_a_batch_takes_within_limits(took: float, pace: float) -> None:
    world = World(partitions=2)
    world.drain()

    def sent(partition: int) -> InFlight:
        world.write(partition, 1)
        while not (items := Reader.step(world.reader)):
            world.now += 0.0005
        return items[0]

    for _ in range(60):
        item = sent(0)
        world.now += took
        world.reader.ack(item.tup_id)
    sent(1)
    began = world.now
    sent(0)
    assert world.now - began == pytest.approx(pace, abs=0.001)


def test_acks_that_are_late_are_looked_for_less_often_and_a_free_partition_at_once() -> None:
    world = World(partitions=2)
    world.drain()
    world.write(0, 1)
    while not Reader.step(world.reader):
        world.now += 0.0005
    world.now += SLOWEST_PACE_S + 0.02
    assert world.reader.pause_s == BUSY_POLL_S, "what comes for the other partition goes at once"
    world.write(1, 1)
    while not Reader.step(world.reader):
        world.now += 0.0005
    sent_at, looks = world.now, 0
    while world.now < sent_at + 0.2:
        assert Reader.step(world.reader) == []
        assert BUSY_POLL_S <= world.reader.pause_s <= WAIT_S
        world.now += world.reader.pause_s
        looks += 1
    assert looks < 60, "200, if it looked every millisecond"


def test_an_absent_topic_is_waited_for_and_said_once(caplog):
    world = World(partitions=0)
    with caplog.at_level(logging.INFO, "stormwatch"):
        assert world.drain(seconds=1) == []
    assert world.reader.pause_s == WAIT_S
    assert caplog.text.count("./stormwatch up") == 1
    world.admin.ensure_topic("t", 1, {})
    world.write(0, 1)
    assert spans(world.drain()) == [(0, 0, 0)]


def test_kafka_down_at_the_start_is_waited_for_and_said_once(caplog):
    world = World()
    world.broker.down()
    with caplog.at_level(logging.INFO, "stormwatch"):
        assert world.drain(seconds=1) == []
        world.broker.up()
        world.write(0, 1)
        assert spans(world.drain(seconds=1)) == [(0, 0, 0)]
    assert caplog.text.count("Kafka does not answer") == 1
    assert caplog.text.count("Kafka answers again") == 1


def test_commits_that_are_refused_are_said_once_and_asked_for_seldom(caplog):
    """Another program is subscribed with the group; Kafka answers everything else."""
    world = World(partitions=1)
    world.write(0, 5)
    asked = []

    def refuse(source, offsets, *, wait):
        asked.append(world.now)
        raise BrokerRefused("Subscribed with the group 'g' is 'burrow'")

    with pytest.MonkeyPatch.context() as patched, caplog.at_level(logging.INFO, "stormwatch"):
        patched.setattr(Counting, "commit", refuse)
        assert world.drain(seconds=4.0) == []  # 200 s
        assert len(asked) < 20
        assert asked[-1] - asked[-2] > REFUSED_MAX_S / 2
        patched.undo()
        world.now += REFUSED_MAX_S
        assert spans(world.drain())[0][:2] == (0, 0)
    assert world.committed() == {0: 5}
    assert caplog.text.count("Kafka refuses") == 1
    assert caplog.text.count("no longer refuses to let us commit") == 1
    assert "Kafka answers again" not in caplog.text


def test_a_client_that_is_not_let_in_is_closed_before_the_next_try(caplog):
    world = World(partitions=1)
    closed = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Counting, "describe", lambda self: _raise(BrokerRefused("not let in")))
        patched.setattr(Counting, "close", lambda self: closed.append(world.now))
        assert world.drain(seconds=4.0) == []
    assert 5 < len(closed) < 20
    world.now += REFUSED_MAX_S
    world.write(0, 1)
    assert spans(world.drain()) == [(0, 0, 0)]


def test_an_open_transaction_before_idle_partitions_is_looked_for(caplog):
    world = World(partitions=2)
    world.write(0, 3)
    world.drain()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Counting, "held", lambda self, at: {0: Held(at[0], 7, "producer 1")})
        world.drain(seconds=2.0)
    assert caplog.text.count("t[0]: a transaction that is open since offset 3 holds back 7") == 1


def _raise(error: Exception) -> NoReturn:
    raise error


def test_kafka_down_in_mid_run_loses_no_commit(caplog):
    world = World(partitions=1)
    world.write(0, 1)
    world.drain()
    world.write(0, 5)
    (batch,) = next(items for _ in range(10) if (items := world.reader.step()))
    world.broker.down()
    with caplog.at_level(logging.INFO, "stormwatch"):
        world.reader.ack(batch.tup_id)
        assert world.drain(seconds=1) == []
        world.broker.up()
        assert world.committed() == {0: 1}
        world.drain(seconds=1)
    assert world.committed() == {0: 6}
    assert caplog.text.count("Kafka does not answer") == 1
    assert caplog.text.count("Kafka answers again") == 1


def test_records_deleted_before_the_start_are_expired():
    world = World(partitions=1)
    world.write(0, 5)
    world.drain()
    world.write(0, 20)
    world.admin.delete_records("t", {0: 12})
    world.start()
    items = world.drain()
    assert spans(items, NOTICES) == [(0, 5, 11)]
    assert set(items[0].payload.ledger.bitmaps) == {"expired"}
    assert spans(items)[0][1] == 12
    assert world.committed() == {0: 25}


def test_records_deleted_in_mid_run_are_expired_after_what_was_read(caplog):
    world = World(partitions=1)
    world.write(0, 100)
    world.drain(turns=1, seconds=0)  # start told; then hold the first batch
    world.write(0, 100)
    (batch,) = next(items for _ in range(10) if (items := world.reader.step()))
    for _ in range(5):
        world.reader.step()
    world.admin.delete_records("t", {0: 190})
    assert [i for _ in range(5) for i in world.reader.step()] == []  # Kafka has told it by now
    world.reader.ack(batch.tup_id)
    items = [batch, *world.drain()]
    last_read = max(b[2] for b in spans(items) if b[2] < 190)
    assert spans(items, NOTICES) == [(0, last_read + 1, 189)]
    assert spans(items)[-1] == (0, 190, 199)
    assert "retention" in caplog.text


def test_expired_stop_ends_the_process_and_says_what_to_do():
    world = World(partitions=1, expired="stop")
    world.write(0, 5)
    world.drain()
    world.write(0, 5)
    world.admin.delete_records("t", {0: 7})
    world.start()
    with pytest.raises(TopicError, match="expired=resume"):
        world.drain()


FIRST, SECOND, THIRD = (epoch_of(number, 0) for number in (64, 65, 66))
"""Epochs of the first stretches that a keyspace gives a number."""


def test_a_log_that_was_cut_is_read_anew_behind_the_last_record_that_is_still_there(caplog):
    world = World(partitions=1)
    for n in range(10):
        world.write(0, 1, b"%d" % n)
        world.drain(turns=20)  # so that each is taken
    world.broker.truncate("t", 0, 6)
    world.start()
    assert spans(world.drain()) == []
    assert "from offset 6 on this is not the log that was read up to offset 10" in caplog.text
    world.write(0, 8, b"new")
    (batch,) = [i for i in world.drain() if i.stream == BATCHES]
    assert spans([batch]) == [(0, 6, 13)]
    assert (batch.fragment.epoch, batch.fragment.believed) == (SECOND, ((64, 0, 6),))


@pytest.mark.parametrize("committed", [10, 9, 3, None])
def test_a_log_that_was_cut_and_written_beyond_the_commit_is_seen(committed, caplog):
    world = World(partitions=1)
    for n in range(10):
        world.write(0, 1, b"%d" % n)
        world.drain(turns=20)
    world.broker.truncate("t", 0, 6)
    world.write(0, 8, b"new")
    if committed is None:
        del world.broker.commits["g", "t"]
    elif committed < 10:
        world.broker.commits["g", "t"] = {0: Committed(committed, "")}
    for _ in range(2):  # the second start changes nothing
        world.start()
        items = [i for i in world.drain() if i.stream == BATCHES and not i.empty]
        assert caplog.text.count("from offset 6 on this is not the log") == 1
        if items:
            begin = min(6 if committed is None else committed, 6) if committed != 3 else 3
            begin = 0 if committed is None else begin
            assert (items[0].fragment.first, items[-1].fragment.last) == (begin, 13)
            assert {i.fragment.epoch for i in items} == {SECOND}
            assert {i.fragment.believed for i in items} == {((64, 0, 6),)}
    assert world.committed() == {0: 14}


def test_a_cut_that_was_seen_but_not_committed_is_seen_again():
    world = World(partitions=1)
    for n in range(10):
        world.write(0, 1, b"%d" % n)
        world.drain(turns=20)
    world.broker.truncate("t", 0, 6)
    world.write(0, 8, b"new")
    before = dict(world.broker.commits["g", "t"])
    world.start().step()  # opens, and dies before it commits
    world.broker.commits["g", "t"] = before
    world.start()
    items = [i for i in world.drain() if i.stream == BATCHES and not i.empty]
    assert (items[0].fragment.first, items[-1].fragment.last) == (6, 13)
    assert {i.fragment.believed for i in items} == {((64, 0, 6),)}


def test_a_recreated_topic_without_commits_is_another_log():
    world = World()
    world.write(0, 5)
    assert {i.fragment.epoch for i in world.drain()} == {FIRST}
    world.admin.delete_topic("t")
    world.admin.ensure_topic("t", 2, {})
    world.write(0, 3)
    world.start()
    items = world.drain()
    assert {(i.fragment.epoch, i.fragment.believed) for i in items} == {(SECOND, ())}
    assert spans(items) == [(0, 0, 2)]
    assert (0, 0, -1) in spans(items, NOTICES)


def test_a_recreated_topic_with_commits_of_the_old_one_is_read_whole(caplog):
    world = World()
    world.write(0, 5)
    world.drain()
    commits = dict(world.admin.committed("g", "t"))
    world.admin.delete_topic("t")
    world.admin.ensure_topic("t", 2, {})
    world.broker.commits["g", "t"] = commits
    world.write(0, 50)
    world.start()
    items = [i for i in world.drain() if i.stream == BATCHES]
    assert (items[0].fragment.first, items[-1].fragment.last) == (0, 49)
    assert {(i.fragment.epoch, i.fragment.believed) for i in items} == {(SECOND, ())}
    assert "the offset 5 of group 'g' is of another log" in caplog.text
    assert world.committed() == {0: 50, 1: 0}


def test_a_topic_recreated_in_mid_run_is_read_whole(caplog):
    world = World()
    world.write(0, 5)
    world.drain()
    world.admin.delete_topic("t")
    world.drain(turns=400)
    world.admin.ensure_topic("t", 2, {})
    world.write(0, 3)
    items = world.drain(turns=400)
    assert spans(items) == [(0, 0, 2)]
    assert {i.fragment.epoch for i in items} == {SECOND}
    assert "was deleted and made again while it was read" in caplog.text


def test_a_topic_recreated_between_two_polls_is_known_before_anything_of_it_is_sent():
    world = World(partitions=1)
    world.write(0, 5)
    world.drain(turns=5)
    commits = dict(world.broker.commits["g", "t"])
    world.admin.delete_topic("t")
    world.admin.ensure_topic("t", 1, {})
    world.broker.commits["g", "t"] = commits
    world.write(0, 9)
    items = world.drain(turns=5)
    assert spans(items) == [(0, 0, 8)]
    assert {i.fragment.epoch for i in items} == {SECOND}


def test_one_look_at_the_topic_proves_all_that_came_while_acks_were_waited_for():
    world = World(partitions=1)
    world.drain()
    world.write(0, 1)
    (first,) = world.sent()
    source, looks = world.reader._poller.source, []
    asked = source.describe
    source.describe = lambda: looks.append(world.now) or asked()
    for _ in range(8):
        world.write(0, 1)
        world.now += PACE_S
        assert world.reader.step() == []
    assert looks == []
    world.reader.ack(first.tup_id)
    world.write(0, 1)
    (rest,) = world.sent()
    assert spans([first, rest]) == [(0, 0, 0), (0, 1, 9)], "and what came last goes along"
    assert len(looks) == 1


def test_a_backlog_is_proven_and_kept_at_hand_while_acks_are_waited_for():
    world = World(partitions=1)
    world.drain()
    world.write(0, 4 * LIMITS.records)
    (first,) = world.sent()
    for _ in range(4):
        world.now += PACE_S
        assert world.reader.step() == []
    source = world.reader._poller.source
    source.poll = lambda *given: {}
    world.reader.ack(first.tup_id)
    (rest,) = world.sent()
    assert spans([rest]) == [(0, LIMITS.records, 2 * LIMITS.records - 1)]


def test_a_topic_made_again_while_acks_were_waited_for_is_known_before_anything_of_it_is_sent():
    world = World(partitions=1)
    world.drain()
    world.write(0, 1)
    (first,) = world.sent()
    world.write(0, 1)
    world.now += PACE_S
    assert world.reader.step() == []
    world.admin.delete_topic("t")
    world.admin.ensure_topic("t", 1, {})
    world.write(0, 3)
    world.reader.ack(first.tup_id)
    items = world.drain(turns=400)
    assert spans(items) == [(0, 0, 2)]
    assert {i.fragment.epoch for i in items} == {SECOND}


def test_what_was_fetched_when_the_topic_could_not_be_asked_is_not_lost():
    world = World(partitions=1)
    world.write(0, 5)
    world.drain(turns=5)
    source = world.reader._poller.source
    asked = source.describe

    def down():
        world.broker.down()
        return asked()

    source.describe = down
    world.write(0, 5)
    world.reader.step()
    source.describe = asked
    world.broker.up()
    assert spans(world.drain(seconds=1)) == [(0, 5, 9)]
    source.describe = lambda: None  # absent for a moment
    world.write(0, 5)
    world.reader.step()
    world.reader.step()
    source.describe = asked
    assert spans(world.drain(seconds=1)) == [(0, 10, 14)]


def test_added_partitions_are_found_and_raise_the_epoch():
    world = World(partitions=1)
    world.write(0, 2)
    world.drain()
    world.admin.add_partitions("t", 3)
    world.write(2, 2)
    world.write(0, 2)
    items = world.drain(turns=400)
    assert spans(items, NOTICES) == [(0, 4, 3), (1, 0, -1), (2, 0, -1)]
    assert spans(items) == [(0, 2, 3), (2, 0, 1)]
    assert {i.fragment.epoch for i in items if i.fragment.partition == 2} == {FIRST + 1}
    assert world.committed() == {0: 4, 1: 0, 2: 2}


def test_partitions_added_while_stopped_begin_a_new_epoch_for_all():
    world = World(partitions=1)
    world.write(0, 2)
    world.drain()
    world.admin.add_partitions("t", 2)
    world.start()
    items = world.drain()
    assert spans(items, NOTICES) == [(0, 2, 1), (1, 0, -1)]
    assert {i.fragment.epoch for i in items} == {FIRST + 1}


def test_an_offset_set_by_hand_is_taken_and_told():
    world = World(partitions=1)
    world.write(0, 9)
    world.drain()
    world.broker.commits["g", "t"] = {0: Committed(4, "")}
    world.start()
    items = world.drain()
    assert spans(items, NOTICES) == [(0, 4, 3)]
    assert spans(items) == [(0, 4, 8)]
    assert {(i.fragment.epoch, i.fragment.believed) for i in items} == {(FIRST, ())}


def test_a_group_moved_on_by_hand_and_back(caplog):
    world = World(partitions=1)
    world.write(0, 10)
    world.drain()
    world.reader.close()
    world.write(0, 10)
    world.broker.commits["g", "t"] = {0: Committed(16, "")}
    world.start()
    items = world.drain()
    assert "moved on to offset 16 by hand; reading had come to 10" in caplog.text
    assert spans(items, NOTICES) == [(0, 16, 15)]
    assert spans(items) == [(0, 16, 19)]
    assert {(i.fragment.epoch, i.fragment.believed) for i in items} == {(SECOND, ((64, 0, OPEN),))}
    world.broker.commits["g", "t"] = {0: Committed(10, "")}
    world.start()
    items = world.drain()
    assert spans(items) == [(0, 10, 19)]
    assert {(i.fragment.epoch, i.fragment.believed) for i in items} == {
        (THIRD, ((64, 0, OPEN), (65, 16, OPEN)))
    }
    world.start()
    world.write(0, 1)
    [batch] = [i for i in world.drain() if i.stream == BATCHES and not i.empty]
    assert (batch.fragment.epoch, batch.fragment.first) == (THIRD, 20)


def test_generations_rise_whatever_becomes_of_the_commits():
    world = World(partitions=1)
    world.write(0, 3)
    world.drain()
    for generation, commit in enumerate((Committed(3, ""), None, Committed(1, "{\0")), 2):
        if commit is None:
            del world.broker.commits["g", "t"]
        else:
            world.broker.commits["g", "t"] = {0: commit}
        world.start()
        world.write(0, 1)
        items = [i for i in world.drain() if not i.empty]
        assert {i.fragment.generation for i in items} == {generation}


def test_a_group_that_stands_somewhere_in_a_log_that_this_keyspace_never_read(caplog):
    world = World(partitions=1)
    world.write(0, 9)
    world.broker.commits["g", "t"] = {0: Committed(4, "")}
    world.start()
    assert spans(world.drain()) == [(0, 4, 8)]
    assert "offsets 0 to 3 count as unread" in caplog.text


def test_metadata_of_a_newer_version_is_refused():
    world = World(partitions=1)
    world.broker.commits["g", "t"] = {0: Committed(0, '{"v":2,"x":[]}')}
    with pytest.raises(StateError, match="newer Stormwatch"):
        world.drain()


def test_a_commit_that_failed_unseen_is_made_again_though_only_others_have_news():
    world = World()
    world.drain()
    world.write(0, 1)
    (batch,) = next(items for _ in range(10) if (items := world.reader.step()))
    world.reader.ack(batch.tup_id)
    world.broker.down()
    world.now += 1.1
    world.reader.step()  # commits without waiting, in vain
    world.broker.up()
    for _ in range(60):
        world.write(1, 1)
        world.drain(turns=1, seconds=0.1)
    assert world.committed()[0] == 1


def test_commits_are_throttled_confirmed_and_repeated_daily():
    world = World(partitions=1)
    world.drain()
    world.commits.clear()
    for _ in range(100):  # ten seconds of traffic
        world.write(0, 1)
        world.drain(turns=1, seconds=0.05)
    assert 8 <= len(world.commits) <= 13
    world.drain()
    assert world.commits[-1] is True
    count = len(world.commits)
    world.drain()
    assert len(world.commits) == count
    world.now += 86_400
    world.drain()
    assert len(world.commits) == count + 1


def test_an_orderly_stop_is_clean_and_waking_undoes_it_first():
    world = World(partitions=1)
    world.write(0, 30)
    world.drain()
    world.write(0, 1)
    (batch,) = next(items for _ in range(10) if (items := world.reader.step()))
    world.reader.rest()
    assert read_mark(world.admin.committed("g", "t")[0].metadata).clean
    world.reader.ack(batch.tup_id)
    commit = world.admin.committed("g", "t")[0]
    assert (commit.offset, read_mark(commit.metadata).clean) == (31, True)
    world.write(0, 10)
    world.now += SLOWEST_PACE_S
    world.reader.step()
    assert not read_mark(world.admin.committed("g", "t")[0].metadata).clean
    world.reader.close()
    world.start()
    assert [last - first + 1 for _, first, last in spans(world.drain())] == [10]


def test_the_watchdog_sends_again(caplog):
    world = World(partitions=1)
    (notice,) = world.reader.step()
    world.now += 181
    (again,) = world.reader.step()
    assert again.fragment.attempt == 1
    assert "silent" in caplog.text
    assert notice.tup_id == again.tup_id == "0:1:1:0--1:notices"


def test_a_flood_is_bounded_by_pausing():
    world = World()
    world.write(0, 1000)
    world.write(1, 1000)
    flying = [i for _ in range(200) for i in world.reader.step()]
    backlogs = [p.buffer for p in world.reader._poller.partitions.values()]
    assert all(20 <= len(b) <= 30 for b in backlogs)
    for item in flying:
        world.reader.ack(item.tup_id)
    assert sum(last - first + 1 for _, first, last in spans(world.drain())) == 2000


def test_after_a_crash_the_first_records_go_out_one_at_a_time_and_alone():
    world = World(partitions=3)
    world.drain()
    for partition in range(3):
        world.write(partition, 20)
    world.start()
    alone = []
    for _ in range(3):
        item = world.probe()
        assert item.records == 1
        assert [i for _ in range(20) for i in world.reader.step()] == []
        world.reader.fail(item.tup_id)
        world.now += 10
        assert world.reader.step() == [item]  # again, and still alone
        mark = read_mark(world.admin.committed("g", "t")[item.fragment.partition].metadata)
        assert mark.tries == 1
        alone.append(item.fragment.partition)
        world.reader.ack(item.tup_id)
    assert sorted(alone) == [0, 1, 2]
    world.drain()
    assert world.committed() == {0: 20, 1: 20, 2: 20}


@settings(max_examples=60, deadline=None)
@given(
    killers=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_only_killers_are_quarantined_whoever_is_in_flight_beside_them(killers, seed):
    world, random = World(partitions=3), Random(seed)
    for partition in range(3):
        world.write(partition, 61)
    ended: dict[tuple[int, int], str] = {}
    deaths, quiet, flying = 0, 0, []
    while quiet < 30:
        items = world.reader.step()
        quiet = 0 if items or flying else quiet + 1
        flying += items
        world.now += random.uniform(0, 0.4)
        doomed = any(
            (i.fragment.partition, r.offset) in killers
            for i in flying if i.stream == BATCHES for r in i.payload
        )  # fmt: skip
        if doomed and random.random() < 0.5:  # others in flight may be acked before
            deaths, flying = deaths + 1, []
            world.start()
            continue
        for item in list(flying):
            holds_killer = item.stream == BATCHES and any(
                (item.fragment.partition, r.offset) in killers for r in item.payload
            )
            if not holds_killer and random.random() < 0.7:
                flying.remove(item)
                world.reader.ack(item.tup_id)
                for offset in range(item.fragment.first, item.fragment.last + 1):
                    ended[item.fragment.partition, offset] = item.stream
    assert {key for key, stream in ended.items() if stream == NOTICES} == killers
    assert len(ended) == 3 * 61
    assert deaths <= 4 * len(killers)
    assert world.committed() == {0: 61, 1: 61, 2: 61}


class Eight(World):
    """Eight partitions of so many records each; the process died once before they came."""

    def __init__(self, each: int) -> None:
        limits = LIMITS._replace(records=1000, bytes=1 << 20)
        super().__init__(partitions=8, rules=RULES._replace(limits=limits))
        self.drain()
        self.start()
        for partition in range(8):
            self.write(partition, each)

    def all_in_flight(self, least: int) -> None:
        """Go on until a batch of each partition is in flight, of so many records at least."""
        for _ in range(500):
            items = self.reader.step()
            self.now += 0.1
            if len(items) == 8 and all(item.records >= least for item in items):
                return
            for item in items:
                self.reader.ack(item.tup_id)
        raise AssertionError("never")


def twice_crashed() -> Eight:
    """A batch of eight records or more of each was in flight at the second death."""
    world = Eight(5000)
    world.all_in_flight(8)
    world.start()
    return world


def test_after_a_second_crash_each_suspected_batch_goes_alone_once_not_record_by_record():
    world = twice_crashed()
    went = world.drain()
    alone = [item for item in went if item.alone]
    assert sorted(item.fragment.partition for item in alone) == list(range(8))
    assert all(item.records >= 8 and not item.probe for item in alone)
    assert world.committed() == dict.fromkeys(range(8), 5000)
    together = [n for n, item in enumerate(went) if item.records and not item.alone]
    assert together[0] < went.index(alone[-1]), "those that were cleared go on meanwhile"


def test_after_a_third_only_the_batch_that_was_alone_comes_in_pieces_and_the_others_go_on(caplog):
    world = twice_crashed()
    (guilty,) = alone_in_flight(world)
    world.start()
    own = guilty.fragment.partition
    went = world.drain()
    pieces = [n for n, item in enumerate(went) if item.alone and item.fragment.partition == own]
    assert sum(went[n].records for n in pieces) == guilty.records
    for before, after in pairwise(pieces[:4]):  # then the others have nothing left
        assert any(i.records and i.fragment.partition != own for i in went[before:after])
    assert world.committed() == dict.fromkeys(range(8), 5000)
    assert f"t[{own}]: a batch from offset {guilty.fragment.first} on was alone" in caplog.text


def test_what_was_not_cleared_yet_at_a_further_death_is_still_suspected():
    world = twice_crashed()
    (first,) = alone_in_flight(world)
    world.reader.ack(first.tup_id)
    world.start()
    alone = {item.fragment.partition for item in world.drain() if item.alone and not item.probe}
    assert set(range(8)) - {first.fragment.partition} <= alone


def test_what_was_acked_before_something_goes_alone_is_not_suspected_of_its_death():
    world = twice_crashed()
    (first,) = alone_in_flight(world)
    world.reader.ack(first.tup_id)
    (second,) = alone_in_flight(world)  # and between them a batch behind the first was acked
    marks = {p: read_mark(c.metadata) for p, c in world.admin.committed("g", "t").items()}
    assert marks[first.fragment.partition].span == 0
    assert world.committed()[first.fragment.partition] > first.fragment.last + 1
    assert marks[second.fragment.partition].alone


def alone_in_flight(world: World) -> list[InFlight]:
    """The first item that goes alone; all before it is acked."""
    while True:
        items = world.reader.step()
        world.now += PACE_S  # no commit of a second
        if any(item.alone for item in items):
            assert len(items) == 1
            return items
        for item in items:
            world.reader.ack(item.tup_id)


@pytest.mark.parametrize("place", [0, 1, 5, 63, 130, 700, 1400])
def test_a_killer_costs_at_most_six_deaths_however_many_partitions_are_in_flight(place):
    """Four more than those that are counted on it."""
    world = Eight(1500)
    deaths, quiet, flying, sent = 1, 0, [], 0
    while quiet < 30:
        items = world.reader.step()
        world.now += 0.1
        flying += items
        sent += any(item.alone for item in items)
        quiet = 0 if flying else quiet + 1
        doomed = [i for i in flying if killed_by(i, (3, place))]
        if doomed:  # nothing that is in flight beside it is acked
            deaths, flying = deaths + 1, []
            world.start()
            continue
        while flying:
            world.reader.ack(flying.pop().tup_id)
    assert deaths <= RULES.quarantine_after + 4 <= 10
    assert sent <= FEW + PIECES + 8 * (deaths + 2)
    assert world.committed() == dict.fromkeys(range(8), 1500)


def killed_by(item: InFlight, killer: tuple[int, int]) -> bool:
    """Whether the killer, (partition, offset), is a record of the batch."""
    partition, offset = killer
    return (
        item.stream == BATCHES
        and item.fragment.partition == partition
        and any(record.offset == offset for record in item.payload)
    )


def test_quarantine_keeps_the_raw_record_and_the_gap_before_it():
    world = World(partitions=1)
    world.drain()
    world.broker.skip("t", 0, 3)
    world.write(0, 1, b"deadly")
    for _ in range(2):
        world.start()
        world.probe()
    world.start()
    first, notice = world.drain()
    assert first.empty
    payload = notice.payload
    assert isinstance(payload, Asides)
    assert (payload.rows[0].code, payload.rows[0].raw) == ("kills_process", b"deadly")
    assert payload.ledger.bitmaps == {"dead_lettered": b"\x08", "absent": b"\x07"}
    assert world.committed() == {0: 4}


def test_while_a_commit_is_owed_nothing_new_goes_out():
    world = World(partitions=2)
    world.drain()
    world.write(0, 20)
    world.write(1, 20)
    commit = world.admin.committed("g", "t")[1]
    clean = commit._replace(metadata=commit.metadata.replace('"c":false', '"c":true'))
    world.broker.commits["g", "t"][1] = clean
    world.start()
    probe = world.probe()
    assert [i for _ in range(5) for i in world.reader.step()] == []
    world.broker.down()
    world.reader.ack(probe.tup_id)  # if another record killed the process now, whose death is it?
    assert world.drain() == []
    world.broker.up()
    world.now += 20
    assert world.drain()


def test_the_worst_suspect_goes_first():
    world = World(partitions=3)
    world.drain()
    for partition in range(3):
        world.write(partition, 1)
    marks = {p: c.metadata for p, c in world.admin.committed("g", "t").items()}
    world.broker.commits["g", "t"][1] = Committed(0, marks[1].replace('"t":0', '"t":1'))
    world.start()
    assert [p for p, _, _ in spans(world.drain())] == [1, 0, 2]


def test_suspects_of_later_tasks_wait_for_their_turn():
    world = World(partitions=2)
    world.start(1, 2)
    world.drain()
    world.write(1, 5)
    for _ in range(2):  # the second time the record is a suspect
        world.start(1, 2)
        first = world.probe()
    assert first is None
    world.now += 2.1
    assert spans(world.drain())[0] == (1, 0, 0)
