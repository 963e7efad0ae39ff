"""Landers as processes that may be killed: a fork for each line of the standard input.

All is imported before, and no connection made, so that a start costs a fork. A line is read, a
process id printed; its exit code, when it has ended.
"""

import ast
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from apps.land import streams
from apps.land.mqtt import Broker, MqttIntake
from apps.land.pubsub import PubSubIntake
from apps.land.service import carrying, landing
from apps.land.tokens import allow
from apps.local.services.prctl import end_with_parent
from apps.serve.front import bound
from stormwatch.adapters.kafka.confluent import sink  # noqa: F401 - before the fork
from stormwatch.settings import Settings
from tests.models.pushed import TOKEN


def lander(kind: str, settings: Settings, where: str) -> AbstractContextManager[Callable[[], bool]]:
    """Of HTTP on a port; of the MQTT broker on a port; of a Pub/Sub subscription."""
    made = streams.of_topics(settings, [settings.topic_transactions])
    if kind == "http":
        return landing(settings, made, [bound("127.0.0.1", int(where))], allow(TOKEN, "the test"))
    if kind == "mqtt":
        intake = MqttIntake(Broker("127.0.0.1", int(where), "plant/#", "lander"))
        return carrying(settings, made[settings.topic_transactions], intake, 0)
    return carrying(settings, made[settings.topic_transactions], PubSubIntake(where), 0)


def main(kind: str, told: str, where: str) -> None:
    """`told`: settings that are not the usual ones."""
    settings = Settings(**ast.literal_eval(told))
    streams.of_topics(settings, [settings.topic_transactions])
    import confluent_kafka  # noqa: F401

    if kind == "mqtt":
        import paho.mqtt.client  # noqa: F401
    for _ in sys.stdin:
        if (pid := os.fork()) == 0:
            end_with_parent()
            with lander(kind, settings, where):
                while True:
                    time.sleep(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
