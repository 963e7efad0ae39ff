"""The contract of sources, by Kinesis: as of Kafka's clients, and what is its own.

Not taken of what Kafka's clients are held to: records without a key or a value, gaps, deleted
records and 10 MB, none of which there is in Kinesis; a topic's partitions, which are shards here.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Committed, Watermarks
from tests.contracts import source_contract as kafka
from tests.contracts.kafka_clusters import read
from tests.models import fake_sources
from tests.models.kinesis_cluster import Kinesis

pytestmark = pytest.mark.integration
pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")

test_an_absent_topic_is_fine = kafka.test_an_absent_topic_is_fine
test_poll_keeps_to_its_limits = kafka.test_poll_keeps_to_its_limits
test_a_new_record_ends_the_wait = kafka.test_a_new_record_ends_the_wait
test_a_position_at_the_end_waits = kafka.test_a_position_at_the_end_waits_for_what_comes
test_seek_drops_what_was_buffered = kafka.test_seek_drops_what_was_buffered
test_assign_replaces = kafka.test_assign_replaces
test_pause_keeps_the_position = kafka.test_pause_keeps_the_position
test_a_position_beyond_the_end_is_told = kafka.test_a_position_beyond_the_end_is_told
test_a_lost_partition_does_not_stop = kafka.test_a_lost_partition_does_not_stop_the_others
test_a_recreated_topic = kafka.test_a_recreated_topic_is_read_from_its_start
test_commits_are_read_back = kafka.test_commits_are_read_back_with_their_metadata
test_unwaited_commits_keep_their_order = kafka.test_unwaited_commits_keep_their_order
test_commits_do_not_need_an_assignment = (
    kafka.test_commits_do_not_need_an_assignment_and_survive_reading
)
test_the_control_topic_remembers = kafka.test_the_control_topic_remembers
test_close_is_quick_and_idempotent = kafka.test_close_is_quick_and_idempotent


@pytest.fixture
def kafkas(kinesis: Kinesis) -> Kinesis:
    return kinesis


@pytest.fixture
def topic(kafkas: Kinesis, unique) -> str:
    name = unique("events")
    kafkas.admin().ensure_topic(name, 1, {})
    return name


def put(kafkas: Kinesis, topic: str, values: range, key: str = "") -> None:
    sink = kafkas.sink()
    for value in values:
        sink.send(topic, (key or f"k{value % 13}").encode(), b"%d" % value)
    sink.flush(15)


def test_a_stream_is_named_anew_when_it_is_made_again(kafkas: Kinesis, topic: str) -> None:
    source = kafkas.source(topic)
    first = source.describe()
    assert first is not None and first.partitions == 16
    kafkas.admin().delete_topic(topic)
    time.sleep(1.1)  # here a stream's age is told in whole seconds
    kafkas.admin().ensure_topic(topic, 1, {})
    again = source.describe()
    assert again is not None and again.topic_id != first.topic_id


def test_a_count_stays_whoever_reads_it_again(kafkas: Kinesis, topic: str) -> None:
    put(kafkas, topic, range(50))
    one = kafkas.source(topic)
    one.assign({0: 0})
    first = read(one, 50, at_once=7)[0]
    one.commit({0: Committed(20, "m")}, wait=True)
    other = kafkas.source(topic)  # a process that is started again
    assert other.committed([0]) == {0: Committed(20, "m")}
    assert other.watermarks(0) == Watermarks(0, 50)
    assert other.peek({0: 19}) == {0: first[19]} and other.peek({0: 33}) == {0: first[33]}
    assert other.peek({0: 50}) == {}
    other.assign({0: 20})
    assert read(other, 30)[0] == first[20:]
    another = kafkas.source(topic, group="another")
    assert another.committed([0]) == {}
    another.assign({0: 5})
    assert read(another, 45)[0] == first[5:]


def test_children_come_when_all_of_their_parents_is_committed(kafkas: Kinesis, topic: str) -> None:
    put(kafkas, topic, range(40))
    admin = kafkas.admin()
    admin.split(topic, 0)
    put(kafkas, topic, range(40, 80))
    admin.merge(topic, 1, 2)
    put(kafkas, topic, range(80, 120))
    source = kafkas.source(topic)
    before = dict.fromkeys(range(16), Committed(0, ""))
    source.commit(before, wait=True)
    source.assign(dict.fromkeys(range(3), 0))
    assert kafka.numbers(read(source, 40)[0]) == list(range(40))
    assert source.poll(100, 1.5) == {}
    source.commit({0: Committed(39, "")}, wait=True)
    assert source.poll(100, 1.5) == {}, "one record of the parent is not committed"
    source.commit({0: Committed(40, "")}, wait=True)
    halves = read(source, 40)
    assert set(halves) == {1, 2}
    assert sorted(kafka.numbers(halves[1] + halves[2])) == list(range(40, 80))
    # Another process, which reads the last shard alone, hears of its parents by the store.
    other = kafkas.source(topic)
    other.assign({3: 0})
    source.commit({1: Committed(len(halves[1]), "")}, wait=True)
    assert other.poll(100, 1.5) == {}
    source.commit({2: Committed(len(halves[2]), "")}, wait=True)
    assert source.poll(100, 0.5) == {}  # hears of the ends
    assert kafka.numbers(read(other, 40)[3]) == list(range(80, 120))


def test_a_shard_that_comes_while_reading_is_read(kafkas: Kinesis, topic: str) -> None:
    source = kafkas.source(topic)
    source.commit(dict.fromkeys(range(16), Committed(0, "")), wait=True)
    source.assign(dict.fromkeys(range(16), 0))
    put(kafkas, topic, range(10))
    assert len(read(source, 10)[0]) == 10
    source.commit({0: Committed(10, "")}, wait=True)
    kafkas.admin().split(topic, 0)
    put(kafkas, topic, range(10, 60))
    both = read(source, 50)
    assert set(both) == {1, 2}
    assert sorted(kafka.numbers(both[1] + both[2])) == list(range(10, 60))


def test_an_expired_iterator_is_taken_anew(kafkas: Kinesis, topic: str, monkeypatch) -> None:
    from stormwatch.adapters.kinesis.client import Client, Expired

    put(kafkas, topic, range(30))
    source = kafkas.source(topic)
    source.assign({0: 0})
    whole, calls = Client.records, [0]

    def sometimes(self: Client, iterator: str, limit: int):
        calls[0] += 1
        if calls[0] % 3 == 0:
            raise Expired
        return whole(self, iterator, limit)

    monkeypatch.setattr(Client, "records", sometimes)
    assert kafka.numbers(read(source, 30, at_once=4)[0]) == list(range(30))


def test_a_server_that_is_away_looks_idle_and_is_told_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unique
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with ExitStack() as stack:
        with fake_sources.kinesalite(tmp_path) as url:
            kafkas = Kinesis(stack, url)
            kafkas.admin().ensure_topic("here", 1, {})
            put(kafkas, "here", range(3))
            source = kafkas.source("here")
            source.assign({0: 0})
            read(source, 3)
        assert source.poll(10, 0.5) == {}
        with pytest.raises(BrokerUnavailable, match="did not describe here"):
            kafkas.source("here").describe()
