"""Random histories of logs: renamed, replaced, cut anywhere, the group moved anywhere, processes
killed in mid-batch, between any two steps. Reader, contract, store and ledger are the real ones.

The law: every record of every log ends in exactly one end state, or is written down as unread, and
none is decided twice; and once the group is set back, nothing is unread.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.operate import ledger
from apps.operate.ledger_verify import verify
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Asides, to_fragment, to_values
from stormwatch.ingest.buffer import Limits
from stormwatch.ingest.in_flight import BATCHES, Item
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Log
from stormwatch.ledger.bitmap import offsets
from stormwatch.parsing.batch import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Committed
from stormwatch.records import EndState, Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Fate
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.testing.ports import ForgetfulSink
from tests.toy import Ping, Toy

GROUP, TOPICS = "g", ("a", "b")
RULES = Rules(Limits(3, 10_000, 1000), 10_000, 180.0, "spout", 60.0)
POLICY = Policy(10**9, 10**9, 10**6)
"""Nothing is late and no id forgotten: a record that is decided twice is told as a duplicate."""
SETTINGS = Settings(kafka_group=GROUP)


class Source(MemorySource):
    """Never waits."""

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        return super().poll(max_records, 0)


@dataclass
class Histories:
    """Two topics of one partition, one domain that reads the one that the settings name."""

    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker(clock=lambda: 1000))
    store: MemoryStore = field(default_factory=MemoryStore)
    topic: str = TOPICS[0]
    now: float = 0.0
    written: int = 0
    uncertain: set[str] = field(default_factory=set)
    """Records that stood between the last seal that fits and a cut: perhaps read anew."""

    def __post_init__(self) -> None:
        self.admin = MemoryAdmin(self.broker)
        for name in TOPICS:
            self.admin.ensure_topic(name, 1, {})
        self.start()

    def start(self) -> None:
        """A new process, whatever became of the last one."""
        self.score = ScoreStep(
            lambda: Contract(Toy(), POLICY, "toy"), StateCache(1 << 20),
            partial(stripe_of, stripes=4), lambda: self.store, lambda: 0,
        )  # fmt: skip
        sink = ForgetfulSink()
        self.commit = StoreStep(
            lambda: self.store, lambda: sink, Topics("alerts", "letters"), Toy.alert_outcomes,
            1.0, lambda _: None,
        )  # fmt: skip
        self.reader = Reader(
            lambda: Source(self.broker, self.topic, GROUP), lambda: self.store,
            Log(self.topic, GROUP, "resume", "stream"), RULES, 0, 1, lambda: self.now, Random(1),
        )  # fmt: skip

    def write(self, count: int, key: int) -> None:
        for _ in range(count):
            self.written += 1
            ping = Ping(f"i{self.written}", f"k{key}", self.written, 1)
            self.broker.append(self.topic, b"k", msgspec.json.encode(ping), 0)

    def turn(self, seconds: float, stop: int | None = None) -> bool:
        """Of the spout, and the bolts at once; `stop`: die after so many steps of the work."""
        self.now += seconds
        for item in self.reader.step():
            if not self._work(item, stop):
                return False
            self.reader.ack(item.tup_id)
        return True

    def _work(self, item: Item, stop: int | None) -> bool:
        fragment = to_fragment(to_values(item.fragment, None))
        if item.stream != BATCHES:
            assert isinstance(item.payload, Asides)
            self.store.write_aside("toy", [], item.payload.ledger, outcome_stamp(fragment))
            return stop is None
        assert isinstance(item.payload, list)
        parsed = parse_batch(
            fragment, item.payload, Toy().parse, component="p", record_max_bytes=1000, now=0
        ).parsed
        if stop == 0:
            return False
        [outcomes] = self.score.work_all([(fragment, parsed)])
        if stop == 1:
            self.store.write_outcomes(outcomes)
            return False
        self.commit.work_all([(fragment, outcomes)])
        if stop == 2:
            return False
        for step in (self.score, self.commit):
            step.settle(fragment, Fate.DONE)
        return True

    def read(self, stop: int | None, turns: int = 400) -> None:
        """Until all is committed, or for so many turns; then die where `stop` says."""
        quiet = 0
        for turn in range(turns):
            before = dict(self.broker.commits.get((GROUP, self.topic), {}))
            if not self.turn(0.3, stop if turn == turns - 1 else None):
                break
            after = self.broker.commits.get((GROUP, self.topic), {})
            quiet = quiet + 1 if after == before else 0
            high = self.broker.log(self.topic, 0).high
            if quiet > 8 and 0 in after and after[0].offset >= high:
                break
