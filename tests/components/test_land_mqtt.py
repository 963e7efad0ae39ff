"""MQTT through the lander, with mosquitto; Kafka is in memory."""

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.land import streams
from apps.land.service import carrying
from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.memory.world import World, doubles
from stormwatch.errors import SettingsError
from tests.models import fake_sources
from tests.models.publishers import subscribe, to_mqtt
from tests.models.pushed import SETTINGS, payment

pytestmark = pytest.mark.integration
pytest.importorskip("paho.mqtt.client", reason="pip install -r requirements/mqtt.txt")


def publish(port: int, values: list[bytes]) -> None:
    with to_mqtt(port) as send:
        send(values)


@contextmanager
def lander(port: int, broker: MemoryBroker):
    from apps.land.mqtt import Broker, MqttIntake

    before = connect.use(doubles(World(broker, MemoryStore())))
    stream = streams.of_topics(SETTINGS, ["transactions"])["transactions"]
    try:
        intake = MqttIntake(Broker("127.0.0.1", port, "plant/#", "lander"))
        with carrying(SETTINGS, stream, intake, 0) as ended:
            yield ended
    finally:
        connect.use(before)


def values(broker: MemoryBroker) -> list[bytes | None]:
    topic = broker.topic("transactions") if broker.is_up else None
    return [record.value for log in (topic.logs if topic else []) for record in log.records]


def wait_until(seen: Callable[[], bool], within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_is_sent_while_nobody_reads_and_while_kafka_is_away_comes_once_landed_in_order(
    tmp_path: Path,
) -> None:
    broker = MemoryBroker()
    sent = [payment(n, "one") for n in range(3_000)]
    with fake_sources.mosquitto(tmp_path) as port:
        subscribe(port)
        publish(port, sent[:10])
        with lander(port, broker):
            wait_until(lambda: len(values(broker)) == 10)
        publish(port, sent[10:2_000])
        with lander(port, broker):
            wait_until(lambda: len(values(broker)) == 2_000)
            broker.down()
            publish(port, [*sent[2_000:], b"no JSON"])
            time.sleep(1)
            broker.up()
            wait_until(lambda: len(set(values(broker))) == 3_001)
        with lander(port, broker):
            time.sleep(1)
    assert list(dict.fromkeys(values(broker))) == [*sent, b"no JSON"]
    assert len(values(broker)) == 3_001, "what was acknowledged came again"


def test_a_broker_that_restarts_gives_what_was_not_acknowledged_again(tmp_path: Path) -> None:
    broker = MemoryBroker()
    sent = [payment(n, "one") for n in range(500)]
    with fake_sources.mosquitto(tmp_path) as port:
        subscribe(port)
        with lander(port, broker):
            publish(port, sent[:100])
            wait_until(lambda: len(values(broker)) == 100)
            broker.down()
            publish(port, sent[100:])
            time.sleep(1)
    # The broker is gone, with messages in hand that Kafka had not confirmed.
    broker.up()
    with fake_sources.mosquitto(tmp_path, port), lander(port, broker):
        wait_until(lambda: len(set(values(broker))) == 500)
    assert list(dict.fromkeys(values(broker))) == sent


def test_a_broker_that_is_away_is_waited_for_and_one_that_refuses_is_told(tmp_path: Path) -> None:
    broker, port = MemoryBroker(), fake_sources.ports.free()
    with lander(port, broker) as ended:
        time.sleep(0.5)
        assert not ended()
        with fake_sources.mosquitto(tmp_path, port):
            until = time.monotonic() + 60
            while payment(1) not in values(broker):
                assert time.monotonic() < until
                publish(port, [payment(1)])  # nobody keeps it until the lander has subscribed
                time.sleep(0.3)
    (tmp_path / "closed").mkdir()
    conf = tmp_path / "closed" / "m.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\nuser root\n")
    program = "/usr/sbin/mosquitto" if os.path.exists("/usr/sbin/mosquitto") else "mosquitto"
    with (
        fake_sources.server([program, "-c", str(conf)], port, tmp_path / "closed" / "log"),
        pytest.raises(SettingsError, match="refused: Not authorized"),
        lander(port, broker) as ended,
    ):
        wait_until(ended)
