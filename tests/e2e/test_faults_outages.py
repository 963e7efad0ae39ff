"""Kafka or Cassandra away: at the start, in mid-run, stopped or hung. Waited for, nothing lost."""

import time

import pytest

from apps.prove.chaos.environment import Scene
from apps.prove.chaos.traffic import mixed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500)]

COUNT = 3000
SMALL = 40
AGAIN_S = 120
"""The law is 30 s after Kafka's return, 60 s after Cassandra's, on a machine that is not busy."""
KAFKA_GONE = "Kafka does not answer, waiting for it"
KAFKA_BACK = "Kafka answers again"
CASSANDRA_GONE = "will be tried again: Cassandra"


def run_until_begun(scene: Scene) -> None:
    """A run with a backlog, some of it decided, most of it not."""
    scene.prepare()
    scene.publish(mixed(COUNT, run="before"))
    scene.start(batch_max_records=SMALL, cassandra_request_timeout_s=3.0)
    scene.until_ended(1, 240)


def end_well(scene: Scene, count: int) -> None:
    """All decided within the limit, without one restart; the laws hold."""
    scene.drain(count, AGAIN_S)
    scene.stop()
    assert "restarting" not in scene.said(), scene.said()
    scene.check()


def hang_cassandra(scene: Scene, seconds: float) -> None:
    with scene.stand.paused("cassandra"):
        scene.publish(mixed(COUNT, run="during"))
        scene.until_said(CASSANDRA_GONE, 60)
        time.sleep(seconds)


def kill_kafka(scene: Scene, seconds: float) -> None:
    with scene.stand.down("kafka"):
        scene.until_said(KAFKA_GONE, 60)
        time.sleep(seconds)
    scene.until_said(KAFKA_BACK, AGAIN_S)
    scene.publish(mixed(COUNT, run="after"))


def test_cassandra_hung_then_kafka_killed(scene: Scene) -> None:
    run_until_begun(scene)
    hang_cassandra(scene, 3)
    scene.until_ended(COUNT // 2, AGAIN_S)
    kill_kafka(scene, 3)
    end_well(scene, 3 * COUNT)


@pytest.mark.slow
def test_cassandra_hung_for_30_s(scene: Scene) -> None:
    run_until_begun(scene)
    hang_cassandra(scene, 30)
    end_well(scene, 2 * COUNT)


@pytest.mark.slow
def test_cassandra_stopped_for_30_s(scene: Scene) -> None:
    """Stopped, not killed: one node with a periodic commit log may lose what it acknowledged in
    the last 100 ms before a kill -9, and then no client can know."""
    run_until_begun(scene)
    with scene.stand.down("cassandra", kill=False):
        scene.publish(mixed(COUNT, run="during"))
        scene.until_said(CASSANDRA_GONE, 60)
        time.sleep(30)
    end_well(scene, 2 * COUNT)


@pytest.mark.slow
def test_kafka_killed_for_30_s(scene: Scene) -> None:
    run_until_begun(scene)
    kill_kafka(scene, 30)
    end_well(scene, 2 * COUNT)


def test_kafka_down_at_the_start(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT))
    with scene.stand.down("kafka"):
        scene.start()
        scene.until_said(KAFKA_GONE, 240)
    scene.until_said(KAFKA_BACK, AGAIN_S)
    end_well(scene, COUNT)


@pytest.mark.slow
def test_cassandra_down_at_the_start(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT))
    with scene.stand.down("cassandra"):
        scene.start()
        scene.until_said(CASSANDRA_GONE, 240)
    end_well(scene, COUNT)
