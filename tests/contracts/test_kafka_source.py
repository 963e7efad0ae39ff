"""What every Source keeps: order, positions, pauses, gaps, commits, memory of the control topic."""

import time

import pytest

from stormwatch.ports import Committed, TopicInfo, Watermarks
from tests.contracts.kafka_clusters import CLIENTS, Cluster, cluster, read, wait_gone
from tests.contracts.source_contract import (
    numbers,
    test_a_lost_partition_does_not_stop_the_others,
    test_a_new_record_ends_the_wait,
    test_a_position_at_the_end_waits_for_what_comes,
    test_a_position_beyond_the_end_is_told,
    test_a_recreated_topic_is_read_from_its_start,
    test_an_absent_topic_is_fine,
    test_assign_replaces,
    test_close_is_quick_and_idempotent,
    test_commits_are_read_back_with_their_metadata,
    test_commits_do_not_need_an_assignment_and_survive_reading,
    test_pause_keeps_the_position,
    test_poll_keeps_to_its_limits,
    test_seek_drops_what_was_buffered,
    test_the_control_topic_remembers,
    test_unwaited_commits_keep_their_order,
    write,
)


@pytest.fixture(params=CLIENTS)
def kafkas(request, unique):
    yield from cluster(request, "kafka", unique)


@pytest.fixture
def topic(kafkas: Cluster, unique) -> str:
    """A topic of one partition."""
    name = unique("events")
    kafkas.admin().ensure_topic(name, 1, {})
    return name


def test_describe_is_fresh(kafkas: Cluster, topic: str) -> None:
    source, admin = kafkas.source(topic), kafkas.admin()
    first = source.describe()
    assert first is not None and first.partitions == 1
    admin.add_partitions(topic, 3)
    assert source.describe() == TopicInfo(first.topic_id, 3)
    admin.delete_topic(topic)
    assert source.describe() is None
    admin.ensure_topic(topic, 1, {})
    again = source.describe()
    assert again is not None and again.topic_id != first.topic_id


def test_records_come_in_order_with_all_their_parts(kafkas: Cluster, topic: str) -> None:
    before = time.time_ns() // 1_000_000
    write(kafkas, topic, range(5))
    sink = kafkas.sink()
    sink.send(topic, None, b"no key")
    sink.send(topic, b"tombstone", None)
    sink.send(topic, b"empty", b"")
    sink.flush(15)
    source = kafkas.source(topic)
    source.assign({0: 0})
    records = read(source, 8)[0]
    assert [r.offset for r in records] == list(range(8))
    assert numbers(records[:5]) == list(range(5))
    assert [(r.key, r.value) for r in records[5:]] == [
        (None, b"no key"), (b"tombstone", None), (b"empty", b""),
    ]  # fmt: skip
    assert all(abs(r.timestamp - before) < 60_000 for r in records)


def test_offsets_without_a_record_are_passed_over(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(2))
    kafkas.gap(topic)
    kafkas.gap(topic)
    write(kafkas, topic, range(1))
    source = kafkas.source(topic)
    source.assign({0: 0})
    assert [r.offset for r in read(source, 5)[0]] == [0, 1, 2, 4, 6]
    source.seek(0, 3)
    assert [r.offset for r in read(source, 2)[0]] == [4, 6]
    assert source.watermarks(0) == Watermarks(0, 7)


def test_a_deleted_position_is_told_once_and_nothing_skipped(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(20))
    source, admin = kafkas.source(topic), kafkas.admin()
    admin.delete_records(topic, {0: 15})
    source.assign({0: 5})
    assert wait_gone(source) == [0]
    assert source.poll(10, 0.3) == {}
    assert source.gone() == []
    assert source.watermarks(0) == Watermarks(15, 20)
    source.seek(0, 15)
    assert numbers(read(source, 5)[0]) == list(range(15, 20))
    assert source.gone() == []


def test_watermarks_are_asked_from_the_broker(kafkas: Cluster, topic: str) -> None:
    source = kafkas.source(topic)
    assert source.watermarks(0) == Watermarks(0, 0)
    write(kafkas, topic, range(8))
    assert source.watermarks(0) == Watermarks(0, 8)
    kafkas.admin().delete_records(topic, {0: 3})
    assert source.watermarks(0) == Watermarks(3, 8)


def test_a_large_record_comes_through(kafkas: Cluster, unique) -> None:
    topic = unique("large")
    kafkas.admin().ensure_topic(topic, 1, {"max.message.bytes": "12000000"})
    sink = kafkas.sink()
    sink.send(topic, b"k", b"small")
    sink.send(topic, b"k", b"x" * 10_000_000)
    sink.send(topic, b"k", b"after")
    sink.flush(30)
    source = kafkas.source(topic)
    source.assign({0: 0})
    assert [len(r.value) for r in read(source, 3)[0]] == [5, 10_000_000, 5]


def test_a_peek_brings_the_record_at_an_offset_or_none(kafkas: Cluster, topic: str) -> None:
    kafkas.gap(topic)
    write(kafkas, topic, range(2))
    source = kafkas.source(topic)
    high = source.watermarks(0).high
    found = source.peek({0: high - 1})
    assert [(p, r.offset, r.value) for p, r in found.items()] == [(0, high - 1, b"1")]
    assert source.peek({0: high}) == {}
    source.assign({0: 0})
    assert read(source, 3)[0][0].offset == 0


def test_who_peeks_often_keeps_one_connection(kafkas: Cluster, topic: str) -> None:
    kafkas.gap(topic)
    write(kafkas, topic, range(5))
    source = kafkas.source(topic)
    low, high = source.watermarks(0)
    connection = getattr(source, "_consumer", None)
    places = [*range(low, high), *reversed(range(low, high)), high]
    found = [source.peek({0: offset}) for offset in places]
    assert getattr(source, "_consumer", None) is connection
    seen = [(r.offset, r.value) for each in found for r in each.values()]
    after = [(high - 5 + n, b"%d" % n) for n in range(5)]
    assert seen == [(low, b"v"), *after, *reversed(after), (low, b"v")]


def test_both_clients_name_a_log_alike_and_read_each_others_metadata(
    kafkas: Cluster, topic: str
) -> None:
    text = '{"v":1,"n":"\u00e4","o":[1,{"x":"}"}]}'
    for each in kafkas.others():
        kafkas.source(topic).commit({0: Committed(3, text)}, wait=True)
        assert each.source(topic).committed([0]) == {0: Committed(3, text)}
        assert each.admin().committed(kafkas.group, topic) == {0: Committed(3, text)}
        assert each.source(topic).describe() == kafkas.source(topic).describe()
        each.source(topic).commit({0: Committed(4, text + text)}, wait=True)
        assert kafkas.source(topic).committed([0]) == {0: Committed(4, text)}
        assert kafkas.admin().committed(kafkas.group, topic) == {0: Committed(4, text)}


__all__ = [
    "test_a_lost_partition_does_not_stop_the_others",
    "test_a_new_record_ends_the_wait",
    "test_a_position_at_the_end_waits_for_what_comes",
    "test_a_position_beyond_the_end_is_told",
    "test_a_recreated_topic_is_read_from_its_start",
    "test_an_absent_topic_is_fine",
    "test_assign_replaces",
    "test_close_is_quick_and_idempotent",
    "test_commits_are_read_back_with_their_metadata",
    "test_commits_do_not_need_an_assignment_and_survive_reading",
    "test_pause_keeps_the_position",
    "test_poll_keeps_to_its_limits",
    "test_seek_drops_what_was_buffered",
    "test_the_control_topic_remembers",
    "test_unwaited_commits_keep_their_order",
]
