"""What lasts until a person acts: told as such by both clients, on a real Kafka."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from random import Random

import confluent_kafka
import pytest

from apps.local.doctor import kafka_check
from apps.local.doctor.finding import FAIL, WARN
from stormwatch.adapters import connect
from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import BrokerRefused, PackageMissing
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.ports import Committed
from stormwatch.settings import Settings
from tests.contracts.kafka_clusters import CLIENTS, Cluster, cluster, read

pytestmark = pytest.mark.integration
RULES = Rules(BufferLimits(10, 10_000, 1000), 2, 180.0, "spout", 60.0)


@pytest.fixture(params=CLIENTS[1:])
def kafkas(request, unique) -> Iterator[Cluster]:
    yield from cluster(request, "kafka", unique)


@pytest.fixture
def topic(kafkas: Cluster, unique) -> str:
    name = unique("lasting")
    kafkas.admin().ensure_topic(name, 1, {})
    return name


@contextmanager
def subscribed(settings: Settings, topic: str) -> Iterator[confluent_kafka.Consumer]:
    """Another program in our group."""
    options = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "group.id": settings.kafka_group,
        "client.id": "burrow",
    }
    with closing(confluent_kafka.Consumer(options)) as other:
        other.subscribe([topic])
        deadline = time.monotonic() + 20
        while not other.assignment():
            assert time.monotonic() < deadline
            other.poll(0.1)
        yield other


def test_another_program_in_the_group_is_named(kafkas: Cluster, topic: str, monkeypatch) -> None:
    source = kafkas.source(topic)
    with subscribed(kafkas.settings, topic):
        for wait in (True, False):
            with pytest.raises(BrokerRefused, match=r"'burrow' on 127.0.0.1.*set kafka\.group"):
                source.commit({0: Committed(0, "")}, wait=wait)
                for _ in range(20):  # a commit that is not waited for is told by a later one
                    source.poll(1, 0.1)
                    source.commit({}, wait=False)
        settings = replace(kafkas.settings, topic_transactions=topic)
        found = {f.check: f for f in kafka_check.check(settings)}
        assert found["Kafka group"].level == FAIL and "'burrow'" in found["Kafka group"].what
    source.commit({0: Committed(0, "")}, wait=True)


def test_the_spout_says_it_once_and_goes_on_when_it_has_left(
    kafkas: Cluster, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    _lives_with_another_program(kafkas.settings, topic, caplog)


def test_the_same_on_the_mock_of_librdkafka(caplog: pytest.LogCaptureFixture, unique) -> None:
    """A broker that knows fewer kinds of requests than Kafka does."""
    mock = confluent_kafka.Producer({"bootstrap.servers": "x", "test.mock.num.brokers": 1})
    (broker,) = mock.list_topics(timeout=10).brokers.values()
    topic = unique("mock")
    mock.produce(topic, b"v")
    mock.flush(10)
    where = f"{broker.host}:{broker.port}"
    settings = Settings(kafka_bootstrap=where, kafka_client="confluent")
    source = connect.source(settings, topic)
    with (
        closing(source),
        subscribed(settings, topic),
        pytest.raises(BrokerRefused, match="Subscribed with the group 'stormwatch' is"),
    ):
        source.commit({0: Committed(0, "")}, wait=True)


def _lives_with_another_program(
    settings: Settings, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "stormwatch")
    with closing(connect.sink(settings)) as sink:
        sink.send(topic, b"k", b"v")
        sink.flush(10)
    store = MemoryStore()
    reader = Reader(
        lambda: connect.source(settings, topic), lambda: store,
        Subscription(topic, settings.kafka_group, "resume"), RULES, 0, 1, time.monotonic, Random(1),
    )  # fmt: skip
    with subscribed(settings, topic):
        sent = _turn(reader, 4.0)
        assert not sent
        assert caplog.text.count("Kafka refuses, waiting until that is mended") == 1
        assert "Kafka answers again" not in caplog.text
    began = time.monotonic()
    while "no longer refuses to let us commit" not in caplog.text:
        assert time.monotonic() < began + 40
        sent += _turn(reader, 0.2)
    assert sent + _turn(reader, 1.0)
    reader.close()


def _turn(reader: Reader, seconds: float) -> list[object]:
    items: list[object] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        new = reader.step()
        for item in new:
            reader.ack(item.tup_id)
        items += new
        if not new:
            time.sleep(reader.pause_s)
    return items


def test_an_open_transaction_is_told_with_offset_and_producer(kafkas: Cluster, topic: str) -> None:
    settings = kafkas.settings
    sink = kafkas.sink()
    sink.send(topic, b"k", b"before")
    sink.flush(10)
    dead = confluent_kafka.Producer(
        {"bootstrap.servers": settings.kafka_bootstrap, "transactional.id": f"dead-{topic}"}
    )
    dead.init_transactions(20)
    dead.begin_transaction()
    dead.produce(topic, b"open")
    dead.flush(10)
    sink.send(topic, b"k", b"after")
    sink.flush(10)
    source = kafkas.source(topic)
    source.assign({0: 0})
    assert [r.value for r in read(source, 1)[0]] == [b"before"]
    assert source.held({0: 0}) == {}, "there is a record to be read yet"
    held = source.held({0: 1})[0]
    assert (held.offset, held.waiting) == (1, 2)
    assert f"transactional.id 'dead-{topic}'" in held.producer
    source.commit({0: Committed(1, "")}, wait=True)
    (found,) = (
        f for f in kafka_check.check(replace(settings, topic_readings=topic))
        if f.check == "Kafka transaction"
    )  # fmt: skip
    assert found.level == WARN and f"{topic}[0]" in found.what and "since offset 1" in found.what
    dead.abort_transaction(20)
    deadline = time.monotonic() + 10
    while source.held({0: 1}):
        assert time.monotonic() < deadline
    assert [r.value for r in read(source, 1)[0]] == [b"after"]
    assert source.held({0: 3}) == {}, "what is left is no record"


def test_an_answer_that_is_too_large_is_told_and_not_asked_for_again_at_once(
    kafkas: Cluster, unique, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(common, "MAX_RECORD_BYTES", 1 << 20)
    monkeypatch.setattr(common, "MAX_ANSWER_BYTES", 3 << 20)
    topic = unique("large")
    kafkas.admin().ensure_topic(topic, 1, {"max.message.bytes": "12000000"})
    other = confluent_kafka.Producer(
        {"bootstrap.servers": kafkas.settings.kafka_bootstrap, "message.max.bytes": 12_000_000}
    )
    other.produce(topic, b"small")
    other.flush(10)
    other.produce(topic, bytes(4 << 20))
    other.flush(10)
    source = kafkas.source(topic)
    source.assign({0: 0})
    assert len(read(source, 1)[0]) == 1
    for _ in range(2):
        with pytest.raises(BrokerRefused, match=rf"topic {topic} has 4,194,\d+ bytes.*Delete it"):
            read(source, 1)
    kafkas.admin().delete_records(topic, {0: 2})
    source.seek(0, 2)
    other.produce(topic, b"next")
    other.flush(10)
    with suppress(BrokerRefused):  # an answer to what was asked before the seek, at most one
        assert [r.value for r in read(source, 1)[0]] == [b"next"]
        source.seek(0, 2)
    assert [r.value for r in read(source, 1)[0]] == [b"next"]
    assert caplog.text.count("Invalid frame") < 30, "by itself it asks 100 times a second"


def test_a_codec_that_is_not_installed_is_named_at_once(kafka: Settings, unique) -> None:
    settings = replace(kafka, kafka_client="kafka-python", kafka_group=unique("g"))
    topic = unique("zstd")
    with closing(connect.admin(settings)) as admin:
        admin.ensure_topic(topic, 1, {})
    options = {"bootstrap.servers": kafka.kafka_bootstrap, "compression.type": "zstd"}
    other = confluent_kafka.Producer(options)
    other.produce(topic, b"x" * 2000)
    other.flush(10)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("kafka.codec.zstd", None)
        with closing(connect.source(settings, topic)) as source:
            source.assign({0: 0})
            with pytest.raises(PackageMissing, match="`pip install zstandard`"):
                read(source, 1)
            source.commit({0: Committed(0, "")}, wait=True)  # what a spout still does at its end
        (found,) = (f for f in kafka_check.check(settings) if f.check == "Kafka codecs")
        assert found.level == WARN and "zstandard" in found.next
    pytest.importorskip("zstandard", reason="the codecs of requirements.txt are not installed")
    with closing(connect.source(settings, topic)) as source:
        source.assign({0: 0})
        assert [r.value for r in read(source, 1)[0]] == [b"x" * 2000]
