"""A lander over HTTP, pushed to as a program would; Kafka and the store behind it are in memory."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any, NamedTuple

from apps.land import streams
from apps.land.service import landing
from apps.land.tokens import allow
from apps.serve.front import bound
from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.memory.world import World, doubles
from stormwatch.settings import Settings

TOKEN = "a-token-of-a-test"
SETTINGS = Settings(kafka_request_timeout_s=1.0)


class Pushed(NamedTuple):
    """A lander that answers, and what is behind it."""

    port: int
    broker: MemoryBroker
    store: MemoryStore

    def post(
        self, topic: str, body: bytes, kind: str = "application/x-ndjson", token: str = TOKEN,
        asked: str = "",
    ) -> tuple[int, Any]:  # fmt: skip
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as link:
            headers = {"authorization": f"Bearer {token}", "content-type": kind}
            link.request("POST", f"/v1/streams/{topic}{asked}", body, headers)
            told = link.getresponse()
            return told.status, json.loads(told.read())

    def get(self, path: str) -> str:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as link:
            link.request("GET", path)
            return link.getresponse().read().decode()

    def landed(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """(key, value) of all that is in the topic, partition by partition."""
        found = self.broker.topic(topic)
        logs = found.logs if found else []
        return [(record.key, record.value) for log in logs for record in log.records]


@contextmanager
def pushed(*topics: str) -> Iterator[Pushed]:
    """A lander of these topics."""
    world = World(MemoryBroker(default_partitions=4), MemoryStore())
    before = connect.use(doubles(world))
    listening = bound("127.0.0.1", 0)
    try:
        made = streams.of_topics(SETTINGS, list(topics))
        with landing(SETTINGS, made, [listening], allow(TOKEN, "the test")):
            yield Pushed(listening.getsockname()[1], world.broker, world.store)
    finally:
        connect.use(before)


def payment(number: int, customer: str = "", **more: object) -> bytes:
    """A payment of ours, as JSON."""
    fields = {
        "id": f"p{number}", "customer": customer or f"c{number % 7}", "terminal": "t1",
        "time": "2026-01-01T00:00:00Z", "amount": 100 + number, "currency": "EUR",
    }  # fmt: skip
    return json.dumps(fields | more).encode()
