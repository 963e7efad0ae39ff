"""What every Sink and Admin keep."""

import json
import time

import confluent_kafka
import pytest

from stormwatch.adapters.kafka.confluent.sink import LINGER_MS, ConfluentSink
from stormwatch.errors import BrokerRefused
from stormwatch.partitioner import partition_of
from stormwatch.ports import Committed, TopicInfo, Watermarks
from stormwatch.settings import Settings
from tests.contracts.kafka_clusters import CLIENTS, Cluster, cluster, read


@pytest.fixture(params=CLIENTS)
def kafkas(request, unique):
    yield from cluster(request, "kafka", unique)


@pytest.fixture(params=CLIENTS[1:])
def real_kafkas(request, unique):
    yield from cluster(request, "kafka", unique)


def test_a_sink_partitions_as_java_does(kafkas: Cluster, unique) -> None:
    topic = unique("keyed")
    kafkas.admin().ensure_topic(topic, 5, {})
    sink = kafkas.sink()
    keys = [b"%d" % i for i in range(200)] + ["käse".encode(), b"FD001/test/7"]
    for key in keys:
        sink.send(topic, key, b"v")
    for _ in range(50):
        sink.send(topic, None, b"v")
    sink.flush(15)
    source = kafkas.source(topic)
    source.assign(dict.fromkeys(range(5), 0))
    polled = read(source, len(keys) + 50)
    found = {r.key: p for p, records in polled.items() for r in records if r.key}
    assert found == {key: partition_of(key, 5) for key in keys}
    assert len(polled) == 5


def test_flush_without_records_and_close_are_idempotent(kafkas: Cluster) -> None:
    sink = kafkas.sink()
    sink.flush(0)
    sink.close()
    sink.close()


def test_more_than_fits_into_the_queue_is_sent(kafkas: Cluster, unique) -> None:
    topic = unique("many")
    admin = kafkas.admin()
    admin.ensure_topic(topic, 1, {})
    sink = kafkas.sink()
    for _ in range(25_000):
        sink.send(topic, b"k", b"x" * 2000)
    sink.flush(60)
    assert admin.watermarks(topic) == {0: Watermarks(0, 25_000)}


@pytest.mark.parametrize("size", [2_000_000, 20_000_000])
def test_a_record_that_kafka_refuses_is_told_as_such(
    real_kafkas: Cluster, unique, size: int
) -> None:
    topic = unique("small")
    real_kafkas.admin().ensure_topic(topic, 1, {"max.message.bytes": "1000000"})
    sink = real_kafkas.sink()
    with pytest.raises(BrokerRefused, match=r"max\.message\.bytes"):
        sink.send(topic, b"k", b"x" * size)
        sink.flush(15)
    sink.send(topic, b"k", b"x")
    sink.flush(15)


def test_topics_are_made_once_described_and_deleted(kafkas: Cluster, unique) -> None:
    topic, admin = unique("made"), kafkas.admin()
    assert admin.describe(topic) is None
    assert admin.watermarks(topic) == {}
    assert admin.ensure_topic(topic, 3, {"retention.ms": "1000000"}) is True
    info = admin.describe(topic)
    assert info is not None and info.partitions == 3
    assert admin.ensure_topic(topic, 8, {}) is False
    assert admin.describe(topic) == info
    assert admin.watermarks(topic) == dict.fromkeys(range(3), Watermarks(0, 0))
    admin.add_partitions(topic, 2)
    assert admin.describe(topic) == info
    admin.add_partitions(topic, 4)
    admin.add_partitions(topic, 4)
    assert admin.describe(topic) == TopicInfo(info.topic_id, 4)
    admin.delete_topic(topic)
    admin.delete_topic(topic)
    assert admin.describe(topic) is None
    admin.ensure_topic(topic, 3, {})
    assert admin.describe(topic).topic_id != info.topic_id


def test_a_refused_topic_says_why(real_kafkas: Cluster, unique) -> None:
    admin = real_kafkas.admin()
    with pytest.raises(BrokerRefused, match="Use letters"):
        admin.ensure_topic("no spaces allowed", 1, {})
    with pytest.raises(BrokerRefused, match="Correct that option"):
        admin.ensure_topic(unique("odd"), 1, {"no.such.option": "1"})


def test_records_are_deleted_up_to_an_offset(kafkas: Cluster, unique) -> None:
    topic, admin = unique("kept"), kafkas.admin()
    admin.ensure_topic(topic, 2, {})
    sink = kafkas.sink()
    for i in range(100):
        sink.send(topic, b"%d" % i, b"v")
    sink.flush(15)
    high = admin.watermarks(topic)[1].high
    admin.delete_records(topic, {1: 20})
    admin.delete_records(topic, {1: 20})
    assert admin.watermarks(topic) == {0: Watermarks(0, 100 - high), 1: Watermarks(20, high)}


def test_a_groups_commits_are_seen(kafkas: Cluster, unique) -> None:
    topic, admin = unique("read"), kafkas.admin()
    admin.ensure_topic(topic, 2, {})
    source = kafkas.source(topic)
    source.commit({1: Committed(7, "mine")}, wait=True)
    group = kafkas.group
    assert admin.committed(group, topic) == {1: Committed(7, "mine")}
    assert admin.committed(unique("nobody"), topic) == {}
    assert admin.committed(group, unique("absent")) == {}


def test_what_is_sent_in_one_go_is_one_request_a_partition() -> None:
    """One that left before would have the rest wait for its answer, and a thread spin meanwhile."""
    mock = confluent_kafka.Producer({"bootstrap.servers": "x", "test.mock.num.brokers": 1})
    (broker,) = mock.list_topics(timeout=10).brokers.values()
    where = f"{broker.host}:{broker.port}"
    in_one_go, one_by_one = _requests_of(where, LINGER_MS), _requests_of(where, 5)
    assert in_one_go == 1
    assert one_by_one > 1, "a record that comes due soon leaves"


def _requests_of(bootstrap: str, linger_ms: int) -> int:
    """Produce requests of a batch that takes a while to be sent."""
    told: list[int] = []

    def statistics(text: str) -> None:
        brokers = json.loads(text)["brokers"].values()
        told.append(sum(each["req"]["Produce"] for each in brokers))

    settings = Settings(kafka_bootstrap=bootstrap, kafka_client="confluent")
    sink = ConfluentSink(settings, linger_ms=linger_ms)
    sink._options |= {"statistics.interval.ms": 50, "stats_cb": statistics}
    sink._producer = sink._open()
    sink.send("t", b"k", b"opens the connection")
    sink.flush(10)

    def settled() -> int:
        told.clear()
        while len(told) < 2:
            sink._producer.poll(0.1)
        return told[-1]

    before = settled()
    for _ in range(2):
        for _ in range(20):
            sink.send("t", b"k", b"v" * 100)
        time.sleep(0.03)
    sink.flush(10)
    after = settled()
    sink.close()
    return after - before
