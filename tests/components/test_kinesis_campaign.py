"""Kinesis read by two tasks that die at every step of the position protocol, while it is resharded.

Judged by content, beside the code: the state of an entity is its marks and what was applied to it;
all else is forgotten at a death.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from stormwatch.epochs import incarnation
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.records import Fragment, Record
from tests.models import fake_sources
from tests.models.kinesis_cluster import Kinesis

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(580)]
pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")

RULES = Rules(BufferLimits(300, 100_000, 1000), 1_000, 180.0, "spout", 60.0)
RECORDS, KEYS, DEATHS, TASKS = 15_000, 97, 60, 2
BEFORE, APPLIED, ACKED = "before it was applied", "before the ack", "before the commit"


class Entities:
    """What bolts and the store keep of each entity, by the law of docs/decisions/0007."""

    def __init__(self) -> None:
        self.marks: dict[bytes, dict[tuple[int, int], int]] = {}
        self.applied: dict[bytes, list[bytes]] = {}

    def apply(self, fragment: Fragment, records: list[Record]) -> None:
        for record in records:
            assert record.key is not None and record.value is not None
            marks = self.marks.setdefault(record.key, {})
            own = (fragment.partition, incarnation(fragment.epoch))
            believed = [own] + [
                (fragment.partition, number)
                for number, first, end in fragment.believed
                if first <= record.offset < end
            ]
            if any(marks.get(each, -1) >= record.offset for each in believed):
                continue
            self.applied.setdefault(record.key, []).append(record.value)
            marks[own] = record.offset


class Task:
    """A spout task that can die."""

    def __init__(self, kinesis: Kinesis, stream: str, number: int) -> None:
        self._kinesis, self._stream, self._number = kinesis, stream, number
        self.start()

    def start(self) -> None:
        self.reader = Reader(
            lambda: self._kinesis.source(self._stream), lambda: self._kinesis.store,
            Subscription(self._stream, "stormwatch", "stop"), RULES, self._number, TASKS,
            time.monotonic, Random(self._number),
        )  # fmt: skip

    def step(self) -> list[InFlight]:
        return self.reader.step()


def test_each_record_is_applied_once_and_in_its_keys_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stormwatch.ingest.reader.STAGGER_S", 0.0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    random, entities = Random(7), Entities()
    died = dict.fromkeys((BEFORE, APPLIED, ACKED), 0)
    with fake_sources.kinesalite(tmp_path) as url, ExitStack() as stack:
        kinesis = Kinesis(stack, url)
        admin, sink = kinesis.admin(), kinesis.sink()
        admin.ensure_topic("campaign", 2, {})
        tasks = [Task(kinesis, "campaign", number) for number in range(TASKS)]
        changes = [
            lambda: admin.split("campaign", 0),  # 2 and 3
            lambda: admin.merge("campaign", 3, 1),  # 4
            lambda: admin.split("campaign", 2),  # 5 and 6
            lambda: admin.merge("campaign", 5, 6),  # 7
        ]
        put, until, next_death = 0, time.monotonic() + 560, 5
        batches = 0
        while sum(map(len, entities.applied.values())) < RECORDS:
            assert time.monotonic() < until, (put, died, _missing(entities, put))
            done = sum(map(len, entities.applied.values()))
            if put < RECORDS and put - done < 2_000:
                for n in range(put, put + 1_000):
                    sink.send("campaign", b"k%d" % (n * 31 % KEYS), b"%d" % n)
                sink.flush(30)
                put += 1_000
                if changes and put % (RECORDS // 5) == 0:
                    changes.pop(0)()
            for task in tasks:
                for item in task.step():
                    batches += item.stream == BATCHES
                    dies = ""
                    if batches >= next_death and sum(died.values()) < DEATHS:
                        dies, next_death = (
                            random.choice(list(died)),
                            batches + random.randint(1, 30),
                        )
                        died[dies] += 1
                    if dies == BEFORE:
                        task.start()
                        break
                    if item.stream == BATCHES:
                        assert isinstance(item.payload, list)
                        entities.apply(item.fragment, item.payload)
                    if dies == APPLIED:
                        task.start()
                        break
                    task.reader.ack(item.tup_id)
                    if dies == ACKED:
                        task.start()
                        break
    assert not _missing(entities, RECORDS)
    for key, values in entities.applied.items():
        numbers = [int(value) for value in values]
        assert numbers == [n for n in range(RECORDS) if b"k%d" % (n * 31 % KEYS) == key]
    assert sum(died.values()) >= 25 and min(died.values()) > 5 and not changes


def _missing(entities: Entities, put: int) -> list[int]:
    there = {int(value) for values in entities.applied.values() for value in values}
    return sorted(set(range(put)) - there)[:20]
