"""What every source keeps, whatever its log is: tests that Kafka's clients and Kinesis share.

Imported by the test files, which say what `kafkas` and `topic` are.
"""

import time

import pytest

from stormwatch.ports import Committed
from tests.contracts.kafka_clusters import Cluster, read, wait_gone


def write(kafkas: Cluster, topic: str, values: range, key: bytes | None = b"k") -> None:
    sink = kafkas.sink()
    for value in values:
        sink.send(topic, key, b"%d" % value)
    sink.flush(15)


def numbers(records) -> list[int]:
    return [int(r.value) for r in records]


def test_an_absent_topic_is_fine(kafkas: Cluster, unique) -> None:
    source = kafkas.source(unique("absent"))
    assert source.describe() is None
    assert source.committed([0, 1]) == {}
    assert source.poll(10, 0.05) == {}


def test_poll_keeps_to_its_limits(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(50))
    source = kafkas.source(topic)
    source.assign({0: 0})
    sizes = []
    while sum(sizes) < 50:
        polled = source.poll(7, 1.0)
        sizes.append(sum(map(len, polled.values())))
    assert max(sizes) <= 7
    for timeout in (0.0, 0.05, 0.3):
        start = time.monotonic()
        assert source.poll(7, timeout) == {}
        assert timeout - 0.02 <= time.monotonic() - start < timeout + 0.25


def test_a_new_record_ends_the_wait(kafkas: Cluster, topic: str) -> None:
    source, sink = kafkas.source(topic), kafkas.sink()
    source.assign({0: 0})
    write(kafkas, topic, range(1))
    read(source, 1)
    sink.send(topic, b"k", b"1")
    sink.flush(15)
    start = time.monotonic()
    assert numbers(source.poll(10, 10.0)[0]) == [1]
    assert time.monotonic() - start < 2


def test_a_position_at_the_end_waits_for_what_comes(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(3))
    source = kafkas.source(topic)
    source.assign({0: 3})
    assert source.poll(10, 0.3) == {}
    assert source.gone() == []
    write(kafkas, topic, range(3, 5))
    assert numbers(read(source, 2)[0]) == [3, 4]


def test_seek_drops_what_was_buffered(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(100))
    source = kafkas.source(topic)
    source.assign({0: 0})
    source.seek(0, 10)  # at once
    assert numbers(read(source, 5, at_once=5)[0])[:5] == [10, 11, 12, 13, 14]
    source.seek(0, 90)
    assert numbers(read(source, 10)[0]) == list(range(90, 100))
    source.seek(0, 0)
    assert numbers(read(source, 100)[0]) == list(range(100))
    with pytest.raises(ValueError, match="not assigned"):
        source.seek(3, 0)


def test_assign_replaces(kafkas: Cluster, unique) -> None:
    topic = unique("events")
    kafkas.admin().ensure_topic(topic, 2, {})
    sink = kafkas.sink()
    for i in range(200):
        sink.send(topic, b"%d" % i, b"%d" % i)
    sink.flush(15)
    source = kafkas.source(topic)
    source.assign({0: 0, 1: 0})
    both = read(source, 200)
    assert set(both) == {0, 1}
    source.pause([1])
    source.assign({1: 5})  # not paused any more
    assert read(source, len(both[1]) - 5) == {1: both[1][5:]}
    source.assign({})
    assert source.poll(10, 0.05) == {}
    source.assign({0: 1})
    assert read(source, len(both[0]) - 1) == {0: both[0][1:]}


@pytest.mark.parametrize("shelf_bytes", [16 << 20, 20_000])
def test_pause_keeps_the_position(kafkas: Cluster, unique, shelf_bytes: int) -> None:
    """Also when the paused partition's records no longer fit into memory."""
    topic = unique("events")
    kafkas.admin().ensure_topic(topic, 2, {})
    sink = kafkas.sink()
    for i in range(4000):
        sink.send(topic, b"%d" % (i % 97), b"%d" % i)
    sink.flush(15)
    source = kafkas.source(topic, shelf_bytes)
    source.assign({0: 0, 1: 0})
    source.pause([1])
    high = [source.watermarks(p).high for p in (0, 1)]
    assert set(read(source, high[0], at_once=100)) == {0}
    assert source.poll(100, 0.3) == {}
    source.resume([1])
    first = read(source, 10, at_once=10)
    assert [r.offset for r in first[1][:10]] == list(range(10))
    source.pause([1])
    assert source.poll(100, 0.3) == {}
    source.resume([1])
    rest = read(source, high[1] - len(first[1]), at_once=100)
    assert [r.offset for r in rest[1]] == list(range(len(first[1]), high[1]))


def test_a_position_beyond_the_end_is_told(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(3))
    source = kafkas.source(topic)
    source.assign({0: 1000})
    assert wait_gone(source) == [0]
    source.seek(0, 0)
    assert numbers(read(source, 3)[0]) == [0, 1, 2]
    source.seek(0, 2000)
    assert wait_gone(source) == [0]
    source.assign({0: 1})
    assert numbers(read(source, 2)[0]) == [1, 2]


def test_a_lost_partition_does_not_stop_the_others(kafkas: Cluster, unique) -> None:
    topic = unique("events")
    kafkas.admin().ensure_topic(topic, 2, {})
    sink = kafkas.sink()
    for i in range(100):
        sink.send(topic, b"%d" % i, b"%d" % i)
    sink.flush(15)
    source = kafkas.source(topic)
    source.assign({0: 10**6, 1: 0})
    high = source.watermarks(1).high
    assert set(read(source, high)) == {1}
    assert wait_gone(source) == [0]


def test_a_recreated_topic_is_read_from_its_start(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(30))
    source, admin = kafkas.source(topic), kafkas.admin()
    source.assign({0: 0})
    read(source, 30)
    admin.delete_topic(topic)
    source.poll(10, 0.2)
    admin.ensure_topic(topic, 1, {})
    write(kafkas, topic, range(100, 110))
    source.assign({0: 0})
    assert numbers(read(source, 10)[0]) == list(range(100, 110))


@pytest.mark.parametrize("wait", [True, False])
def test_commits_are_read_back_with_their_metadata(kafkas: Cluster, topic: str, wait: bool) -> None:
    write(kafkas, topic, range(8))
    source = kafkas.source(topic)
    assert source.committed([0]) == {}
    source.commit({0: Committed(3, '{"g":1,"e":"ü"}')}, wait=wait)
    deadline = time.monotonic() + 10
    while not source.committed([0]):
        assert time.monotonic() < deadline
        source.poll(1, 0.05)
    assert source.committed([0, 7]) == {0: Committed(3, '{"g":1,"e":"ü"}')}
    source.commit({0: Committed(5, "")}, wait=True)
    assert kafkas.source(topic).committed([0]) == {0: Committed(5, "")}
    source.commit({}, wait=True)


def test_unwaited_commits_keep_their_order(kafkas: Cluster, topic: str) -> None:
    source = kafkas.source(topic)
    for offset in range(1, 40):
        source.commit({0: Committed(offset, str(offset))}, wait=False)
    source.commit({0: Committed(40, "40")}, wait=True)
    assert source.committed([0]) == {0: Committed(40, "40")}


def test_commits_do_not_need_an_assignment_and_survive_reading(kafkas: Cluster, topic: str) -> None:
    write(kafkas, topic, range(4))
    source, other = kafkas.source(topic), kafkas.source(topic)
    source.assign({0: 0})
    read(source, 4)
    other.commit({0: Committed(2, "x")}, wait=True)
    assert source.committed([0]) == {0: Committed(2, "x")}
    source.commit({0: Committed(4, "y")}, wait=True)
    assert other.committed([0]) == {0: Committed(4, "y")}


def test_the_control_topic_remembers(kafkas: Cluster, topic: str) -> None:
    source = kafkas.source(topic)
    assert source.recall("epoch/a") is None
    source.remember("epoch/a", b"1")
    source.remember("epoch/b", b"other")
    source.remember("epoch/a", b"2")
    assert source.recall("epoch/a") == b"2"
    assert kafkas.source(topic).recall("epoch/b") == b"other"
    assert source.recall("epoch/c") is None


def test_close_is_quick_and_idempotent(kafkas: Cluster, topic: str) -> None:
    source = kafkas.source(topic)
    source.assign({0: 0})
    source.poll(1, 0.2)
    start = time.monotonic()
    source.close()
    source.close()
    assert time.monotonic() - start < 2
