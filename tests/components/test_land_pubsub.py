"""Pub/Sub through the lander, with pstest or Google's emulator; Kafka is in memory."""

import time
from collections.abc import Callable, Iterator
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
from tests.models.publishers import Publish, to_pubsub
from tests.models.pushed import SETTINGS, payment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
pytest.importorskip("google.cloud.pubsub_v1", reason="pip install -r requirements/pubsub.txt")
SUBSCRIPTION = "projects/test-project/subscriptions/payments"
KEYS = 7
"""As many ordering keys as customers."""


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    with fake_sources.pubsub(tmp_path) as host:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        with to_pubsub(SUBSCRIPTION, KEYS) as publish:
            yield publish


@contextmanager
def lander(broker: MemoryBroker, subscription: str = SUBSCRIPTION):
    from apps.land.pubsub import PubSubIntake

    before = connect.use(doubles(World(broker, MemoryStore())))
    stream = streams.of_topics(SETTINGS, ["transactions"])["transactions"]
    try:
        with carrying(SETTINGS, stream, PubSubIntake(subscription), 0) as ended:
            yield ended
    finally:
        connect.use(before)


def values(broker: MemoryBroker) -> list[bytes | None]:
    topic = broker.topic("transactions") if broker.is_up else None
    return [record.value for log in (topic.logs if topic else []) for record in log.records]


def wait_until(seen: Callable[[], bool], within: float = 90.0) -> None:
    until = time.monotonic() + within
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_all_comes_in_order_also_after_kafka_was_away_longer_than_a_lease(
    publisher: Callable[..., None],
) -> None:
    broker = MemoryBroker()
    sent = [payment(n) for n in range(700)]  # seven customers, each with its own ordering key
    publisher(sent[:300])
    with lander(broker):
        wait_until(lambda: len(set(values(broker))) == 300)
        broker.down()
        publisher([*sent[300:], b'{"customer": "c9"}'], 300)
        time.sleep(12)
        broker.up()
        wait_until(lambda: len(set(values(broker))) == 701)
    found = list(dict.fromkeys(values(broker)))
    for customer in range(7):
        mine = [payment(n) for n in range(customer, 700, 7)]
        assert [value for value in found if value in set(mine)] == mine
    (named,) = [v for v in found if v and b'"c9"' in v]
    assert named.startswith(b'{"id":"') and named.endswith(b'"customer": "c9"}')


def test_a_subscription_that_is_absent_is_told_with_the_next_step(
    publisher: Callable[..., None],
) -> None:
    with (
        pytest.raises(SettingsError, match="gcloud pubsub subscriptions create"),
        lander(MemoryBroker(), "projects/test-project/subscriptions/absent") as ended,
    ):
        wait_until(ended)
