"""Landers killed (kill -9) under load, 50 times each: all that was confirmed or published is in
Kafka, and decided once."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.local.services import ports
from stormwatch.adapters import connect, log_reader
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.ledger.bitmap import offsets
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from tests.models import fake_sources, lander_forks, publishers
from tests.models.pushed import TOKEN
from tests.models.toy import Ping, Toy

logger = logging.getLogger(__name__)
pytestmark = [
    pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1_200),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]  # fmt: skip
ROOT = Path(__file__).parents[2]
RECORDS, KILLS, CUSTOMERS, AT_ONCE = (
    int(os.environ.get("TESTS_LANDED", "100000")), 50, 5_000, 500,
)  # fmt: skip
Put = Callable[[int, int], None]
"""Publishes the records first to last - 1, and returns when they are confirmed."""


def payment(n: int) -> bytes:
    return (
        b'{"id":"p%d","customer":"c%d","terminal":"t%d","time":"2026-01-01T00:00:00Z",'
        b'"amount":%d,"currency":"EUR"}' % (n, n % CUSTOMERS, n % 50, 1000 + n % 777)
    )


@contextmanager
def http(folder: Path, where: str, topic: str) -> Iterator[Put]:
    """What was not answered with 200 is sent again, as docs/on-http.md says."""

    def put(first: int, last: int) -> None:
        body = b"\n".join(payment(n) for n in range(first, last))
        while True:
            with closing(HTTPConnection("127.0.0.1", int(where), timeout=30)) as link:
                try:
                    head = {"authorization": f"Bearer {TOKEN}"}
                    link.request("POST", f"/v1/streams/{topic}", body, head)
                    answer = link.getresponse()
                    answer.read()
                    if answer.status == 200:
                        return
                except (OSError, HTTPException):
                    pass
            time.sleep(0.05)

    yield put


@contextmanager
def mqtt(folder: Path, where: str, topic: str) -> Iterator[Put]:
    pytest.importorskip("paho.mqtt.client", reason="pip install -r requirements/mqtt.txt")
    with fake_sources.mosquitto(folder, int(where)):
        publishers.subscribe(int(where))
        with publishers.to_mqtt(int(where)) as publish:
            yield lambda first, last: publish([payment(n) for n in range(first, last)])


@contextmanager
def pubsub(folder: Path, where: str, topic: str) -> Iterator[Put]:
    pytest.importorskip("google.cloud.pubsub_v1", reason="pip install -r requirements/pubsub.txt")
    with publishers.to_pubsub(where, CUSTOMERS) as publish:
        yield lambda first, last: publish([payment(n) for n in range(first, last)], first)


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Iterator[str]:
    """A port, or a subscription of a Pub/Sub that runs."""
    if request.node.callspec.params["kind"] != "pubsub":
        yield str(ports.free())
        return
    with fake_sources.pubsub(tmp_path) as host:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        yield "projects/test-project/subscriptions/payments"


@pytest.mark.parametrize("kind", ["http", "mqtt", "pubsub"])
def test_what_is_landed_is_decided_once(
    kind: str, where: str, kafka: Settings, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    settings = replace(kafka, topic_transactions=unique("landed"))
    topic, chooser, struck = settings.topic_transactions, random.Random(7), 0
    failed, done = list[BaseException](), threading.Event()
    source = {"http": http, "mqtt": mqtt, "pubsub": pubsub}[kind]
    with (
        closing(connect.admin(settings)) as admin,
        source(tmp_path, where, topic) as put,
        landers(kind, settings, where) as start,
    ):
        admin.ensure_topic(topic, 4, {})

        def landed() -> int:
            return sum(each.high for each in admin.watermarks(topic).values())

        def publish() -> None:
            try:
                for first in range(0, RECORDS, AT_ONCE):
                    put(first, first + AT_ONCE)
            except BaseException as error:
                failed.append(error)
                raise
            finally:
                done.set()

        pid, publishing = start(), threading.Thread(target=publish)
        publishing.start()
        until = time.monotonic() + 1_000
        while struck < KILLS:
            due = max(landed() + 1, struck * RECORDS // (KILLS + 5))  # each is struck at work
            while landed() < due:
                assert not failed
                assert time.monotonic() < until, (struck, landed())
                time.sleep(0.05)
            time.sleep(chooser.uniform(0, 0.2))
            os.kill(pid, signal.SIGKILL)
            pid, struck = start(), struck + 1
        while not done.wait(1) or landed() < RECORDS:
            assert time.monotonic() < until, landed()
        last = -1
        while last < landed():  # what was held comes again, when its lease has ended
            last = landed()
            time.sleep(15 if kind == "pubsub" else 2)
        marks = admin.watermarks(topic)
    assert not failed
    with closing(connect.source(settings, topic)) as log:
        scored, again = decided(
            (partition, some)
            for partition, mark in marks.items()
            for some in log_reader.records(log, partition, 0, mark.high)
        )
    logger.info("%s: %d records, %d kills, %d appended again", kind, RECORDS, struck, again)
    assert scored == {f"p{n}" for n in range(RECORDS)}
    assert again == last - RECORDS


def decided(log: Iterator[tuple[int, list[Record]]]) -> tuple[set[str], int]:
    """Names of what was decided, each once, and how many records were duplicates."""
    store, contract = MemoryStore(), Contract(Toy(), Policy(10**12, 10**12, 64), "toy")
    score = ScoreStep(
        lambda: contract, StateCache(1 << 26), lambda name: 0, lambda: store, lambda: 0
    )
    names, again = list[str](), 0
    for partition, records in log:
        if not records:
            continue
        fragment = Fragment("landed", partition, 0, records[0].offset, records[-1].offset, 1, 0)
        events = []
        for record in records:
            assert record.value is not None
            fields = msgspec.json.decode(record.value)
            number = int(fields["id"][1:])
            assert record.value == payment(number)
            assert record.key == fields["customer"].encode()
            events.append((record.offset, number, Ping(fields["id"], fields["customer"], 1, 1)))
        [outcomes] = score.work_all([(fragment, Parsed(events, [], []))])
        store.write_outcomes(outcomes)
        store.write_states("toy", outcomes.states)
        score.finish(fragment, Outcome.DONE)
        names += [row.id for row in outcomes.decisions]
        found = outcomes.ledger.bitmaps.get("duplicate", b"")
        again += sum(1 for _ in offsets(found, fragment.first))
    assert len(names) == len(set(names))
    return set(names), again


@contextmanager
def landers(kind: str, settings: Settings, where: str) -> Iterator[Callable[[], int]]:
    """Starts one: its process id. The one before it has to be dead."""
    told = repr({
        name: getattr(settings, name) for name in ("kafka_bootstrap", "topic_transactions")
    })  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", lander_forks.__name__, kind, told, where],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": f".{os.pathsep}src"}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as forks:  # fmt: skip
        assert forks.stdin is not None
        assert forks.stdout is not None
        asked, answers, alive = forks.stdin, forks.stdout, [0]

        def start() -> int:
            asked.write("\n")
            asked.flush()
            alive[0] = int(answers.readline())
            return alive[0]

        yield start
        asked.close()
        os.kill(alive[0], signal.SIGTERM)
