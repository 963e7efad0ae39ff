"""Kinesis' streams as admin and sink have them, with a real client: kinesalite."""

from contextlib import closing
from functools import partial

import pytest

from apps.operate import ledger
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink
from stormwatch.errors import BrokerRefused
from stormwatch.ports import Committed, Watermarks
from tests.contracts.kafka_clusters import read
from tests.models.kinesis_cluster import Kinesis

pytestmark = pytest.mark.integration
pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")


def admin_of(kinesis: Kinesis, stream: str, kafka: MemoryBroker):
    from stormwatch.adapters.kinesis.admin import KinesisAdmin

    return closing(KinesisAdmin(MemoryAdmin(kafka), stream.__eq__, kinesis.source))


def sink_of(kinesis: Kinesis, stream: str, kafka: MemoryBroker):
    from stormwatch.adapters.kinesis.client import Client
    from stormwatch.adapters.kinesis.sink import KinesisSink

    open_ = partial(Client, kinesis.settings)
    return closing(KinesisSink(MemorySink(kafka), stream.__eq__, open_, 20.0))


def test_what_is_sent_is_read_in_the_order_of_its_keys(kinesis: Kinesis, unique) -> None:
    stream, kafka = unique("sent"), MemoryBroker()
    kinesis.admin().ensure_topic(stream, 2, {})
    with sink_of(kinesis, stream, kafka) as sink:
        for n in range(1_200):
            sink.send(stream, b"k%d" % (n % 7), b"%d" % n)
        sink.flush(20.0)
    source = kinesis.source(stream)
    source.assign({0: 0, 1: 0})
    by_partition = read(source, 1_200)
    found = [one for records in by_partition.values() for one in records]
    for key in range(7):
        values = [int(one.value) for one in found if one.key == b"k%d" % key]
        assert values == list(range(key, 1_200, 7))


def test_an_admin_tells_what_the_ledger_asks(kinesis: Kinesis, unique) -> None:
    stream, kafka = unique("asked"), MemoryBroker()
    with admin_of(kinesis, stream, kafka) as admin:
        assert admin.describe(stream) is None and admin.watermarks(stream) == {}
        assert not admin.ensure_topic(stream, 2, {}), "a stream costs money: nobody makes one here"
        assert admin.describe(stream) is None
    kinesis.admin().ensure_topic(stream, 2, {})
    with sink_of(kinesis, stream, kafka) as sink, admin_of(kinesis, stream, kafka) as admin:
        for n in range(60):
            sink.send(stream, b"k%d" % n, b"%d" % n)
        sink.flush(20.0)
        source = kinesis.source(stream)
        assert admin.describe(stream) == source.describe()
        marks = admin.watermarks(stream)
        assert sum(mark.high for mark in marks.values()) == 60
        assert {p for p, mark in marks.items() if mark != Watermarks(0, 0)} == {0, 1}
        source.assign({0: 0, 1: 0})
        read(source, 60)
        source.commit({0: Committed(marks[0].high, "m")}, wait=True)
        assert admin.committed("stormwatch", stream) == {0: Committed(marks[0].high, "m")}
        whole = ledger.topic(kinesis.settings, admin, kinesis.store, stream)
        assert whole.in_flight == 60 and not whole.unaccounted, "nothing of it was decided"
        with pytest.raises(BrokerRefused, match="with AWS's tools"):
            admin.delete_topic(stream)
        assert admin.ensure_topic("alerts", 3, {})
        described = admin.describe("alerts")
        assert described is not None and described.partitions == 3, "that one is Kafka's"
