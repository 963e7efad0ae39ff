"""Kinesis, Pub/Sub, MQTT and Spanner away at the start, cut off amid work, and back again.

A proxy stands between: what the servers hold stays, as it does when the network was away.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.land import streams
from apps.land.service import carrying
from apps.prove.chaos.services import TcpProxy
from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.memory.world import World, doubles
from stormwatch.errors import BrokerUnavailable, SettingsError, StoreUnavailable
from stormwatch.settings import Settings
from tests.contracts.kafka_clusters import read
from tests.contracts.store_rows import decision, outcomes, state
from tests.models import fake_sources, publishers
from tests.models.kinesis_cluster import Kinesis
from tests.models.pushed import SETTINGS, payment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
AWAY = [1.0, pytest.param(30.0, marks=pytest.mark.slow)]


@contextmanager
def between(port: int) -> Iterator[TcpProxy]:
    """A proxy that is away until `mend`."""
    proxy = TcpProxy(port)
    proxy.cut()
    try:
        yield proxy
    finally:
        proxy.cut()


def wait_until(seen: Callable[[], bool], within: float = 90.0) -> None:
    until = time.monotonic() + within
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("seconds", AWAY)
def test_kinesis_is_waited_for_and_read_on(kinesis: Kinesis, unique: Any, seconds: float) -> None:
    pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")
    stream, sink = unique("away"), kinesis.sink()
    kinesis.admin().ensure_topic(stream, 1, {})

    def put(values: range) -> None:
        for value in values:
            sink.send(stream, b"k", b"%d" % value)
        sink.flush(15)

    put(range(5))
    with between(urlsplit(kinesis.url).port or 0) as proxy, ExitStack() as stack:
        there = Kinesis(stack, f"http://127.0.0.1:{proxy.port}")
        there.store, there.settings = (
            kinesis.store, replace(there.settings, kafka_request_timeout_s=2.0),
        )  # fmt: skip
        source = there.source(stream)
        with pytest.raises(BrokerUnavailable, match=f"did not describe {stream}"):
            source.describe()
        proxy.mend()
        time.sleep(0.6)
        assert source.describe() is not None
        source.assign({0: 0})
        found = read(source, 5)[0]
        proxy.cut()
        put(range(5, 9))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert source.poll(10, 0.5) == {}
        proxy.mend()
        found += read(source, 4)[0]
    assert [record.value for record in found] == [b"%d" % n for n in range(9)]


@pytest.mark.parametrize("seconds", AWAY)
def test_spanner_is_waited_for_and_written_on(
    spanner: Settings, unique: Any, seconds: float
) -> None:
    mine = replace(spanner, spanner_database=unique("d").replace("-", "_")[:24], layout_stripes=4)
    tables = connect.tables(mine)
    tables.apply(mine, Path(__file__).parents[2] / tables.files, lambda step, said: None)
    port = int(mine.spanner_emulator.rpartition(":")[2])
    with between(port) as proxy:
        through = replace(
            mine, spanner_emulator=f"127.0.0.1:{proxy.port}", spanner_request_timeout_s=2.0
        )
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{proxy.port}"):
            connect.archive(through)
        proxy.mend()
        store = connect.archive(through)
        try:
            store.write_states("d", [state(blob=b"before", stamp=1)])
            proxy.cut()
            until = time.monotonic() + seconds
            while True:
                with pytest.raises(StoreUnavailable):
                    store.write_states("d", [state(blob=b"amid", stamp=2)])
                if time.monotonic() > until:
                    break
            proxy.mend()

            def written() -> bool:
                try:
                    store.write_states("d", [state(blob=b"after", stamp=3)])
                    store.write_outcomes(outcomes("d", [decision(1)]))
                except StoreUnavailable:
                    return False
                return True

            wait_until(written)
            assert store.load_states("d", {0: ["entity-0"]}) == {"entity-0": b"after"}
            assert len(list(store.all_decisions("d"))) == 1
        finally:
            store.close()


@pytest.fixture
def mqtt(tmp_path: Path) -> Iterator[tuple[int, Callable[[int], Any], publishers.Publish]]:
    """(port, an intake through a port, publish)."""
    pytest.importorskip("paho.mqtt.client", reason="pip install -r requirements/mqtt.txt")
    from apps.land.mqtt import Broker, MqttIntake

    with fake_sources.mosquitto(tmp_path) as port, publishers.to_mqtt(port) as publish:
        yield port, lambda near: MqttIntake(Broker("127.0.0.1", near, "plant/#", "lander")), publish


@pytest.fixture
def pubsub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, Callable[[int], Any], publishers.Publish]]:
    """(port, an intake through a port, publish)."""
    pytest.importorskip("google.cloud.pubsub_v1", reason="pip install -r requirements/pubsub.txt")
    from apps.land.pubsub import PubSubIntake

    subscription = "projects/test-project/subscriptions/away"
    with fake_sources.pubsub(tmp_path) as host:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)

        def intake(near: int) -> PubSubIntake:
            monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{near}")
            return PubSubIntake(subscription)

        with publishers.to_pubsub(subscription) as publish:
            yield int(host.rpartition(":")[2]), intake, publish


@pytest.mark.parametrize("seconds", AWAY)
@pytest.mark.parametrize("kind", ["mqtt", "pubsub"])
def test_a_lander_waits_for_its_source_and_lands_on(
    kind: str, request: pytest.FixtureRequest, seconds: float
) -> None:
    port, intake, publish = request.getfixturevalue(kind)
    broker = MemoryBroker()
    before = connect.use(doubles(World(broker, MemoryStore())))

    def landed() -> set[bytes | None]:
        topic = broker.topic("transactions")
        return {record.value for log in (topic.logs if topic else []) for record in log.records}

    stream = streams.of_topics(SETTINGS, ["transactions"])["transactions"]
    try:
        with between(port) as proxy, carrying(SETTINGS, stream, intake(proxy.port), 0) as ended:
            time.sleep(1)
            assert not ended(), "away at the start"
            proxy.mend()
            sent, until = 0, time.monotonic() + 60
            while not landed():  # MQTT keeps nothing before a lander has subscribed
                assert time.monotonic() < until
                publish([payment(sent)])
                sent += 1
                time.sleep(0.3)
            wait_until(lambda: payment(sent - 1) in landed())
            proxy.cut()
            for n in range(100, 120):
                publish([payment(n)])
            time.sleep(seconds)
            assert not ended()
            proxy.mend()
            wait_until(lambda: {payment(n) for n in range(100, 120)} <= landed())
    finally:
        connect.use(before)


@pytest.mark.parametrize(("value", "words"), [
    ("/nowhere.json", "gcloud auth application-default login"),
    ("not json", "gcloud auth application-default login"),
])  # fmt: skip
def test_pubsub_without_credentials_is_one_sentence(
    value: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.cloud.pubsub_v1", reason="pip install -r requirements/pubsub.txt")
    from apps.land.pubsub import PubSubIntake

    if not value.startswith("/"):
        (tmp_path / "key.json").write_text(value)
        value = os.fspath(tmp_path / "key.json")
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", value)
    with pytest.raises(SettingsError, match=words):
        PubSubIntake("projects/p/subscriptions/s")
