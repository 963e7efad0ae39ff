"""Kafka or Cassandra away: at the start, in mid-run, stopped or hung. Waited for, nothing lost."""

import time

import pytest

from apps.prove.chaos.environment import Environment
from apps.prove.chaos.traffic import mixed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500)]

COUNT = 3000
SMALL = 40
AGAIN_S = 120
"""The law is 30 s after Kafka's return, 60 s after Cassandra's, on a machine that is not busy."""
KAFKA_GONE = "Kafka does not answer, waiting for it"
KAFKA_BACK = "Kafka answers again"
CASSANDRA_GONE = "will be tried again: Cassandra"


def run_until_begun(environment: Environment) -> None:
    """A run with a backlog, some of it decided, most of it not."""
    environment.prepare()
    environment.publish(mixed(COUNT, run="before"))
    environment.start(batch_max_records=SMALL, cassandra_request_timeout_s=3.0)
    environment.until_ended(1, 240)


def end_well(environment: Environment, count: int) -> None:
    """All decided within the limit, without one restart; the laws hold."""
    environment.drain(count, AGAIN_S)
    environment.stop()
    assert "restarting" not in environment.said(), environment.said()
    environment.check()


def hang_cassandra(environment: Environment, seconds: float) -> None:
    with environment.own_services.paused("cassandra"):
        environment.publish(mixed(COUNT, run="during"))
        environment.until_said(CASSANDRA_GONE, 60)
        time.sleep(seconds)


def kill_kafka(environment: Environment, seconds: float) -> None:
    with environment.own_services.down("kafka"):
        environment.until_said(KAFKA_GONE, 60)
        time.sleep(seconds)
    environment.until_said(KAFKA_BACK, AGAIN_S)
    environment.publish(mixed(COUNT, run="after"))


@pytest.mark.slow
def test_cassandra_hung_then_kafka_killed(environment: Environment) -> None:
    run_until_begun(environment)
    hang_cassandra(environment, 3)
    environment.until_ended(COUNT // 2, AGAIN_S)
    kill_kafka(environment, 3)
    end_well(environment, 3 * COUNT)


@pytest.mark.slow
def test_cassandra_hung_for_30_s(environment: Environment) -> None:
    run_until_begun(environment)
    hang_cassandra(environment, 30)
    end_well(environment, 2 * COUNT)


@pytest.mark.slow
def test_cassandra_stopped_for_30_s(environment: Environment) -> None:
    """Stopped, not killed: one node with a periodic commit log may lose what it acknowledged in
    the last 100 ms before a kill -9, and then no client can know."""
    run_until_begun(environment)
    with environment.own_services.down("cassandra", kill=False):
        environment.publish(mixed(COUNT, run="during"))
        environment.until_said(CASSANDRA_GONE, 60)
        time.sleep(30)
    end_well(environment, 2 * COUNT)


@pytest.mark.slow
def test_kafka_killed_for_30_s(environment: Environment) -> None:
    run_until_begun(environment)
    kill_kafka(environment, 30)
    end_well(environment, 2 * COUNT)


def test_kafka_down_at_the_start(environment: Environment) -> None:
    environment.prepare()
    environment.publish(mixed(COUNT))
    with environment.own_services.down("kafka"):
        environment.start()
        environment.until_said(KAFKA_GONE, 240)
    environment.until_said(KAFKA_BACK, AGAIN_S)
    end_well(environment, COUNT)


@pytest.mark.slow
def test_cassandra_down_at_the_start(environment: Environment) -> None:
    environment.prepare()
    environment.publish(mixed(COUNT))
    with environment.own_services.down("cassandra", kill=False):
        pass  # its tables, which the session's keeps in memory, are written
    with environment.own_services.down("cassandra"):
        environment.start()
        environment.until_said(CASSANDRA_GONE, 240)
    end_well(environment, COUNT)
