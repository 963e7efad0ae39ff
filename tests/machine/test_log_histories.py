"""Random histories of logs: renamed, replaced, cut anywhere, the group moved anywhere, processes
killed in mid-batch, between any two steps. Reader, contract, store and ledger are the real ones.

The law: every record of every log ends in exactly one end state, or is written down as unread, and
none is decided twice; and once the group is set back, nothing is unread.
"""

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.operate import ledger
from apps.operate.ledger_verify import verify
from stormwatch.adapters.memory.broker import PartitionLog as BrokerLog
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Asides, to_fragment, to_values
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.ledger import bitmap
from stormwatch.parsing.batch import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Committed
from stormwatch.records import EndState, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.testing.ports import ForgetfulSink
from tests.models.toy import Ping, Sums, Toy

GROUP, TOPICS = "g", ("a", "b")
RULES = Rules(BufferLimits(3, 10_000, 1000), 10_000, 180.0, "spout", 60.0)
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
    """Records that stood between the last fingerprint that fits and a cut: perhaps read anew."""

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
            lambda: self.store, lambda: sink, Topics("alerts", "letters"), 1.0, lambda _: None,
        )  # fmt: skip
        self.reader = Reader(
            lambda: Source(self.broker, self.topic, GROUP), lambda: self.store,
            Subscription(self.topic, GROUP, "resume", "stream"), RULES, 0, 1, lambda: self.now,
            Random(1),
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

    def _work(self, item: InFlight, stop: int | None) -> bool:
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
            step.finish(fragment, Outcome.DONE)
        return True

    def read(self, turns: int, stop: int | None) -> None:
        """For so many turns, or to the end; `stop`: in the last one the process dies at work."""
        quiet = 0
        while turns and quiet < 8:
            turns -= 1
            before = self._commit()
            if not self.turn(1.1, stop if not turns else None):
                self.start()
                return
            at_end = before is not None and self._commit() == before >= self.log.high
            quiet = quiet + 1 if at_end else 0

    def _commit(self) -> int | None:
        found = self.broker.commits.get((GROUP, self.topic), {}).get(0)
        return None if found is None else found.offset

    @property
    def log(self) -> BrokerLog:
        return self.broker.log(self.topic, 0)

    # What happens to logs and groups

    def cut(self, share: int) -> None:
        """Lose the end of the log: the process is gone with its Kafka."""
        end = self.log.high * share // 8
        taken = [
            fingerprint.offset + 1
            for each in self.store.stretches(self._name())
            for fingerprint in each.fingerprints
            if fingerprint.offset < min(end, each.believed_to)
        ]
        kept = [r for r in self.log.records if max(taken, default=0) <= r.offset < end]
        self.uncertain |= {msgspec.json.decode(r.value or b"", type=Ping).id for r in kept}
        self.broker.truncate(self.topic, 0, end)
        self.start()

    def replace(self, left_over: bool) -> None:
        """Delete the topic and make it again, while it is read."""
        commits = dict(self.broker.commits.get((GROUP, self.topic), {}))
        self.admin.delete_topic(self.topic)
        self.admin.ensure_topic(self.topic, 1, {})
        if left_over:
            self.broker.commits[GROUP, self.topic] = commits

    def rename(self) -> None:
        """Another topic is named by the setting."""
        self.topic = TOPICS[1 - TOPICS.index(self.topic)]
        self.start()

    def move(self, share: int | None) -> None:
        """Set the group to an offset by hand, beyond the end too, or delete its offsets."""
        commits = self.broker.commits.setdefault((GROUP, self.topic), {})
        commits.pop(0, None)
        if share is not None:
            commits[0] = Committed(self.log.high * share // 8, "")
        self.start()

    # The law

    def check(self) -> None:
        """All is read to the end, from where the groups stand; then from the oldest record on."""
        for name in TOPICS:
            self.topic = name
            self.start()
            self.read(600, None)
            self._sound(unread=True)
        for name in TOPICS:
            self.topic = name
            self.move(0)
            self.read(600, None)
            self._sound(unread=False)
        self._once()

    def _sound(self, *, unread: bool) -> None:
        found = ledger.topic(SETTINGS, self.admin, self.store, self.topic)
        assert found.sound and not found.in_flight, found
        assert unread or not found.unread, found
        assert sum(found.states.values()) + found.unread == self.log.high, found
        assert set(found.states) <= {"scored", "duplicate"}, found
        assert verify(SETTINGS, self.admin, self.store, "toy", self.topic).sound

    def _once(self) -> None:
        """Each record is decided, and learned, once."""
        decided = {key[-1] for key in self.store.tables.get("decisions", {})}
        there = {
            msgspec.json.decode(record.value or b"", type=Ping).id
            for name in TOPICS
            for record in self.broker.log(name, 0).records
        }
        assert there <= decided
        codec = EnvelopeCodec(Sums)
        learned = sum(
            codec.decode(row["state"][1], "").body.count
            for row in self.store.tables.get("states", {}).values()
        )
        assert len(there) <= learned <= len(decided)
        twice = sum(
            bitmap.count(bits)
            for row in self.store.tables.get("ledger", {}).values()
            for state, bits in row["row"][1].bitmaps.items()
            if state == EndState.DUPLICATE
        )
        assert twice == 0 or self.uncertain

    def _name(self) -> str:
        info = self.admin.describe(self.topic)
        assert info is not None
        return info.topic_id


EVENTS = {
    "write": st.tuples(st.integers(1, 7), st.integers(0, 2)),
    "read": st.tuples(st.integers(1, 40), st.sampled_from([None, None, 0, 1, 2])),
    "cut": st.tuples(st.integers(0, 8)),
    "replace": st.tuples(st.booleans()),
    "rename": st.tuples(),
    "move": st.tuples(st.sampled_from([None, *range(10)])),
    "start": st.tuples(),
}
"""Reading and writing are what is done most."""
LIKELY = ("write", "read") * 4 + ("move", "move", "cut", "cut", "replace", "rename", "start")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, tuple[Any, ...]]]:
    """Some events in a row."""
    names = draw(st.lists(st.sampled_from(LIKELY), min_size=3, max_size=14))
    return [(name, draw(EVENTS[name])) for name in names]


def run(history: list[tuple[str, tuple[Any, ...]]]) -> None:
    """All of it, then the law."""
    made = Histories()
    for name, arguments in history:
        getattr(made, name)(*arguments)
    made.check()


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(histories())
def test_every_record_of_every_log_ends_once(history: list[tuple[str, tuple[Any, ...]]]) -> None:
    run(history)


@pytest.mark.slow
@settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
@given(histories())
def test_every_record_of_every_log_ends_once_at_length(
    history: list[tuple[str, tuple[Any, ...]]],
) -> None:
    run(history)
