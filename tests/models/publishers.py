"""Who publishes what landers carry: to Pub/Sub with message ordering, to an MQTT broker with QoS 1.

The packages of the clients are imported when they are used: tests skip aloud before it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

AT_ONCE = 1_000
"""Messages that wait for an MQTT broker's answer."""
ANSWER_S = 120.0


class Publish(Protocol):
    """Publishes these, which are numbered from `first`; returns when all are confirmed."""

    def __call__(self, values: Sequence[bytes], first: int = 0) -> None: ...


@contextmanager
def to_pubsub(subscription: str, keys: int = 1, lease_s: int = 10) -> Iterator[Publish]:
    """Makes the subscription and the topic of its name. Message n has the ordering key
    c(n % keys); a lease of it ends after `lease_s`."""
    from google.cloud import pubsub_v1

    topic = subscription.replace("/subscriptions/", "/topics/")
    options = pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
    client = pubsub_v1.PublisherClient(publisher_options=options)
    client.create_topic(name=topic)
    with pubsub_v1.SubscriberClient() as subscriber:
        subscriber.create_subscription(request={
            "name": subscription, "topic": topic, "ack_deadline_seconds": lease_s,
            "enable_message_ordering": True,
        })  # fmt: skip

    def publish(values: Sequence[bytes], first: int = 0) -> None:
        for each in [
            client.publish(topic, value, ordering_key=f"c{n % keys}")
            for n, value in enumerate(values, first)
        ]:
            each.result(ANSWER_S)

    yield publish
    client.stop()


@contextmanager
def to_mqtt(port: int, topic: str = "plant/1") -> Iterator[Publish]:
    """To a topic of the broker on that port."""
    with _connected(port) as client:

        def publish(values: Sequence[bytes], first: int = 0) -> None:
            for each in [client.publish(topic, value, qos=1) for value in values]:
                each.wait_for_publish(ANSWER_S)

        yield publish


def subscribe(port: int, client: str = "lander", topics: str = "plant/#") -> None:
    """Has the broker keep what comes for that client, which it does not before a first time."""
    done = threading.Event()
    with _connected(port, client, clean_session=False) as paho:
        paho.on_subscribe = lambda *_: done.set()
        paho.subscribe(topics, qos=1)
        assert done.wait(ANSWER_S)


@contextmanager
def _connected(port: int, name: str = "", **chosen: Any) -> Iterator[Any]:
    from paho.mqtt import client as paho

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, **chosen)
    client.max_inflight_messages_set(AT_ONCE)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()
