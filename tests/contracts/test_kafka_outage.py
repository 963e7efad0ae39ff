"""What every adapter does while Kafka is away, and when it is back."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from apps.local.services import kafka as kafka_service
from apps.local.services import manage, ports, registry
from apps.local.services.home import Home, silent
from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Committed
from stormwatch.settings import Settings
from tests.contracts.kafka_clusters import CLIENTS, Cluster, Memory, cluster, read

# kafka-python leaves the sockets of refused connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

LIMIT_S = 2.0
SLACK_S = 1.5


class Broker:
    """A Kafka of this module's own, to be stopped and started."""

    def __init__(self, home: Home) -> None:
        self._home = home
        broker = ports.free()
        controller = ports.free(taken=[broker])
        self._plan = partial(kafka_service.plan, broker=broker, controller=controller)
        self.settings = Settings()

    def up(self) -> None:
        entries = manage.ensure(self._home, {kafka_service.NAME: self._plan}, silent)
        self.settings = replace(
            manage.with_entries(Settings(), entries), kafka_request_timeout_s=LIMIT_S
        )

    def down(self) -> None:
        with registry.locked(self._home):
            manage.halt(self._home, [kafka_service.NAME], silent)


@pytest.fixture(scope="module")
def broker(services_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    home = Home(services_home.root, tmp_path_factory.mktemp("own"), services_home.jars)
    made = Broker(home)
    made.up()
    yield made
    made.down()


@pytest.fixture(autouse=True)
def collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL, logger="kafka")  # its log records hold those sockets
    yield
    settled(
        lambda: (
            not any(
                thread.name.startswith(("kafka-io", "stormwatch"))
                for thread in threading.enumerate()
            )
        )
    )
    gc.collect()


def settled(seen: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not seen():
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.05)


@pytest.fixture
def broker_settings(broker: Broker) -> Settings:
    broker.up()
    return broker.settings


@pytest.fixture(params=CLIENTS)
def kafkas(request, unique):
    yield from cluster(request, "broker_settings", unique)


@pytest.fixture
def switch(request, kafkas: Cluster) -> Broker:
    return kafkas.broker if isinstance(kafkas, Memory) else request.getfixturevalue("broker")


def refused(call: Callable[[], object], limit: float = LIMIT_S) -> None:
    start = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        call()
    assert time.monotonic() - start < limit + SLACK_S


def eventually(call: Callable[[], object], within: float = 20) -> object:
    deadline = time.monotonic() + within
    while True:
        try:
            return call()
        except BrokerUnavailable:
            assert time.monotonic() < deadline, "Kafka is back, the adapter is not"
            time.sleep(0.1)


def test_away_and_back(kafkas: Cluster, switch: Broker, unique) -> None:
    topic = unique("outage")
    source, sink, admin = kafkas.source(topic), kafkas.sink(), kafkas.admin()
    admin.ensure_topic(topic, 1, {})
    sink.send(topic, b"k", b"before")
    sink.flush(15)
    source.assign({0: 0})
    read(source, 1)
    source.commit({0: Committed(1, "a")}, wait=True)
    quitter = kafkas.source(topic)
    quitter.assign({0: 0})
    read(quitter, 1)
    looker = kafkas.source(topic)
    assert looker.peek({0: 0})[0].value == b"before"

    switch.down()
    start = time.monotonic()
    assert source.poll(10, 0.3) == {}
    assert time.monotonic() - start < 0.6
    for call in (
        source.describe,
        lambda: source.committed([0]),
        lambda: source.watermarks(0),
        lambda: looker.peek({0: 0}),
        lambda: source.commit({0: Committed(2, "b")}, wait=True),
        lambda: source.recall("x"),
        lambda: source.remember("x", b"1"),
        lambda: admin.describe(topic),
        lambda: admin.ensure_topic(topic, 1, {}),
        lambda: admin.watermarks(topic),
        lambda: admin.delete_topic(topic),
    ):
        refused(call)
    source.commit({0: Committed(3, "lost")}, wait=False)
    _commit_error_is_told(source)
    for _ in range(2):
        refused(lambda: (sink.send(topic, b"k", b"lost"), sink.flush(LIMIT_S)), 2 * LIMIT_S)
    start = time.monotonic()
    quitter.close()
    sink.close()
    assert time.monotonic() - start < 3

    switch.up()
    info = eventually(source.describe)
    assert info is not None and info == eventually(lambda: admin.describe(topic))
    assert eventually(lambda: source.watermarks(0)).low == 0
    assert eventually(lambda: looker.peek({0: 0}))[0].value == b"before"
    sink = eventually(kafkas.sink)
    eventually(lambda: (sink.send(topic, b"k", b"after"), sink.flush(5)))
    got = [r.value for r in read(source, 1)[0]]
    assert got[-1] == b"after" and set(got) <= {b"lost", b"after"}
    eventually(lambda: source.commit({0: Committed(9, "c")}, wait=True))
    assert eventually(lambda: source.committed([0])) == {0: Committed(9, "c")}
    source.remember("x", b"2")
    assert source.recall("x") == b"2"


def _commit_error_is_told(source) -> None:
    deadline = time.monotonic() + 3 * LIMIT_S + 5
    while time.monotonic() < deadline:
        source.poll(1, 0.1)
        try:
            source.commit({0: Committed(3, "lost")}, wait=False)
        except BrokerUnavailable:
            return
    pytest.fail("the lost commit was not told")


def test_away_at_the_start(kafkas: Cluster, switch: Broker, unique) -> None:
    topic = unique("outage")
    kafkas.admin().ensure_topic(topic, 1, {})
    switch.down()
    refused(lambda: kafkas.admin().describe(topic))
    refused(lambda: kafkas.source(topic).describe())
    refused(lambda: _send(kafkas.sink(), topic), 2 * LIMIT_S)
    switch.up()
    source = eventually(lambda: kafkas.source(topic))
    assert eventually(source.describe).partitions == 1
    sink = eventually(kafkas.sink)
    eventually(lambda: _send(sink, topic))
    source.assign({0: 0})
    assert read(source, 1)[0][0].value == b"v"


def _send(sink, topic: str) -> None:
    sink.send(topic, b"k", b"v")
    sink.flush(LIMIT_S)
