"""Spout, bolts, caches, Cassandra and what is under way between them, one event at a time.

Real: reader and partitions, parse, score, store, caches, contract, stamps, ledger. Played: Kafka
(`MemoryBroker`), Cassandra (`tests.models.machine.cassandra`), Storm's acker, and processes, which
stop between any two of their calls, die, and may live on as zombies that nobody listens to.

What must hold at every moment is asserted where it happens; `finish` heals everything, lets it
come to rest, and compares the tables with the oracle's.
"""

import json
from base64 import b64decode
from random import Random
from typing import Any

from apps.operate import ledger
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import Write
from stormwatch.codec import encode
from stormwatch.errors import BrokerUnavailable
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.ports import Committed
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from tests.models.machine.cassandra import Cassandra, Trouble
from tests.models.machine.oracle import TOPIC, Oracle, parse
from tests.models.machine.process import ALERTS, DECIDE, LETTERS, REJECT, Message, Process

TASKS = 2
LIMITS = BufferLimits(records=4, bytes=10_000, record_bytes=1000)
TIMEOUT_S, SILENCE_S, BACKOFF_S = 60.0, 180.0, 11.0
BACKLOG = 4 * LIMITS.records
"""Two batches and what a poll brings; a batch that was cut gives its rest back."""
RULES = Rules(LIMITS, 10_000, SILENCE_S, "spout", TIMEOUT_S)  # what dies here dies of no record
SETTINGS = Settings(kafka_group="group")
ENOUGH = 99
"""Calls that end any work."""


class Source(MemorySource):
    """Never waits: time is the machine's."""

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        return super().poll(max_records, 0)


class World:
    """See the module."""

    def __init__(self, partitions: int, spread: bool, cache_bytes: int) -> None:
        self.partitions, self.spread, self._cache_bytes = partitions, spread, cache_bytes
        self.now = 0.0
        self.oracle = Oracle()
        self.store = Cassandra(self._landed)
        self.broker = MemoryBroker(clock=lambda: 1000)
        self.admin = MemoryAdmin(self.broker)
        self.admin.ensure_topic(TOPIC, partitions, {})
        self.wire: list[Message] = []
        self.trees: dict[str, tuple[Fragment, int]] = {}  # in flight -> tuples not acked yet
        self.answers: list[tuple[str, Fragment, bool]] = []
        self.flying: dict[int, Fragment] = {}  # partition -> the try that the spout waits for
        self.reached: dict[str, int] = {}  # key -> offset of the mark stored
        self.committed: dict[int, int] = {}
        self.processes: dict[tuple[str, int], Process] = {}
        self.zombies: list[Process] = []
        self.published: dict[str, set[bytes]] = {ALERTS: set(), LETTERS: set()}
        self.reader = self._start_reader()

    # Kafka

    def produce(self, partition: int, key: bytes, value: bytes) -> None:
        """One record."""
        self.broker.append(TOPIC, key, value, partition)
        self.oracle.produced(partition, self.broker.log(TOPIC, partition).records[-1])

    def leave_gap(self, partition: int, offsets: int) -> None:
        """Offsets without a record, as transactions and compaction leave them."""
        high = self.broker.log(TOPIC, partition).high
        self.broker.skip(TOPIC, partition, offsets)
        for offset in range(high, high + offsets):
            self.oracle.absent(partition, offset)

    def add_partition(self) -> None:
        """One more; the spout looks at the topic every half minute."""
        self.partitions += 1
        self.admin.add_partitions(TOPIC, self.partitions)
        self.now += 31.0

    def publish(self, sent: list[tuple[str, bytes]]) -> None:
        """Records of alerts and dead letters; half of them arrive where Kafka does not confirm."""
        for topic, value in sent if self.broker.is_up else sent[: len(sent) // 2]:
            self.published[topic].add(value)
        if sent and not self.broker.is_up:
            raise BrokerUnavailable("down")

    # The spout

    def spout(self, seconds: float) -> None:
        """A turn of the spout after some time; what it sends is parsed at once."""
        self.now += seconds
        for item in self.reader.step():
            self._sent(item)
        for partition in self.reader._poller.partitions.values():
            assert len(partition.buffer) <= BACKLOG, "more is read than two batches and a poll"
        self._check_commits()

    def hear(self, which: int) -> None:
        """An ack or fail reaches the spout."""
        self._told(*self.answers.pop(which))

    def time_out(self, which: int, seconds: float = TIMEOUT_S + 1) -> None:
        """Storm gives a tree up; its tuples are still under way."""
        tup_id = list(self.trees)[which]
        fragment, _ = self.trees.pop(tup_id)
        self.now += seconds
        self._told(tup_id, fragment, False)

    def crash_spout(self) -> None:
        """It dies; what it sent is still under way."""
        self.trees.clear()
        self.flying.clear()
        self.reader = self._start_reader()

    # The bolts

    def deliver(
        self, which: int, calls: int, trouble: Trouble | None = None, together: bool = False
    ) -> Process:
        """A tuple reaches its process, which takes it up if it is idle, and goes on.

        `together`: and all that is under way to the same process.
        """
        process = self.process_of(self.wire[which])
        if not process.at:
            place = self._place(self.wire[which])
            process.waiting.append(self.wire.pop(which))
            if together:
                process.waiting += [each for each in self.wire if self._place(each) == place]
                self.wire = [each for each in self.wire if self._place(each) != place]
        self.work(process, calls, trouble)
        return process

    def work(self, process: Process, calls: int, trouble: Trouble | None = None) -> None:
        """The process goes on for so many calls; `trouble` may meet one of them at Cassandra."""
        self.store.trouble = trouble
        if not process.at and process.waiting:
            process.begin()
        process.go_on(calls)
        self.store.trouble = None

    def crash_bolt(self, process: Process, zombie: bool) -> None:
        """It is replaced. A zombie goes on with what it has, and nobody listens."""
        [place] = [at for at, each in self.processes.items() if each is process]
        del self.processes[place]
        if zombie:
            process.heard = False
            process.waiting = [each for each in self.wire if self._place(each) == place]
            self.zombies.append(process)

    def restart(self, orderly: bool) -> None:
        """All of it, with the same Kafka and Cassandra."""
        if orderly:
            self.reader.close()
        self.processes.clear()
        self.wire.clear()
        self.answers.clear()
        self.crash_spout()

    def process_of(self, message: Message) -> Process:
        """Whom it is for."""
        place = self._place(message)
        if place not in self.processes:
            self.processes[place] = Process(self, self._cache_bytes)
        return self.processes[place]

    # What bolts tell Storm

    def emit(self, to: str, cause: Message, payload: Any) -> None:
        """A tuple anchored to the one it came of."""
        self.wire.append(Message(to, cause.fragment, payload, cause.tup_id))
        if cause.tup_id in self.trees:
            fragment, left = self.trees[cause.tup_id]
            self.trees[cause.tup_id] = fragment, left + 1

    def answer(self, tup_id: str, acked: bool) -> None:
        """A tuple was acked or failed."""
        if tup_id not in self.trees:
            return
        fragment, left = self.trees.pop(tup_id)
        if acked and left > 1:
            self.trees[tup_id] = fragment, left - 1
        else:
            self.answers.append((tup_id, fragment, acked))

    # All well

    def flow(self) -> None:
        """A round in which nothing goes wrong."""
        self.spout(BACKOFF_S)
        for process in list(self.processes.values()):
            self.work(process, ENOUGH)
        while self.wire:
            self.deliver(0, ENOUGH)
        while self.answers:
            self.hear(0)

    def finish(self) -> None:
        """Everything heals and comes to rest: the tables are the oracle's."""
        self.broker.up()
        ends = {p: self._end(p) for p in range(self.partitions)}
        for turn in range(1000):
            self.flow()
            if turn % 8 == 7:
                for tup_id in list(self.trees):
                    self.time_out(list(self.trees).index(tup_id))
            if {p: self.committed.get(p, 0) for p in ends} == ends:
                break
        else:
            raise AssertionError(f"it does not come to rest: {self.committed} of {ends}")
        for process in self.zombies:
            while process.at or process.waiting:
                self.work(process, ENOUGH)
        while self.store.under_way:
            self.store.land(0)
        self._compare()

    # Within

    def _start_reader(self) -> Reader:
        log = Subscription(TOPIC, SETTINGS.kafka_group, "resume")
        return Reader(
            self._connect, lambda: self.store, log, RULES, 0, 1, lambda: self.now, Random(1)
        )

    def _connect(self) -> Source:
        self.broker.check()
        return Source(self.broker, TOPIC, SETTINGS.kafka_group)

    def _place(self, message: Message) -> tuple[str, int]:
        return message.to, 0 if message.to == REJECT else message.fragment.partition % TASKS

    def _end(self, partition: int) -> int:
        """Behind the last record: a gap at the very end is passed with the next one."""
        records = self.broker.log(TOPIC, partition).records
        return records[-1].offset + 1 if records else 0

    def _sent(self, item: InFlight) -> None:
        fragment = item.fragment
        if other := self.flying.get(fragment.partition):  # the watchdog sent it again
            assert other.first == fragment.first, f"two batches: {other}, {fragment}"
            assert other.attempt < fragment.attempt, f"two tries: {other}, {fragment}"
        self.flying[fragment.partition] = fragment
        assert item.records <= LIMITS.records
        self.trees[item.tup_id] = fragment, 0
        cause = Message("", fragment, None, item.tup_id)
        if item.stream != BATCHES:
            self.emit(REJECT, cause, item.payload)
            return
        assert isinstance(item.payload, list)
        parsed, rejected = parse(fragment, item.payload)
        self.emit(DECIDE, cause, encode(parsed))
        if rejected is not None:
            self.emit(REJECT, cause, rejected)

    def _told(self, tup_id: str, fragment: Fragment, acked: bool) -> None:
        """The spout hears of a try, perhaps of one that it has given up."""
        if self.flying.get(fragment.partition) == fragment:
            del self.flying[fragment.partition]
        (self.reader.ack if acked else self.reader.fail)(tup_id)

    def _landed(self, write: Write) -> None:
        self.oracle.check(write)
        table, key, _, _ = write
        if table == "states":
            name = key[-1]
            reached = self.oracle.known(name, self.store.tables[table][key]["state"][1])
            assert reached >= self.reached.get(name, -1), f"the state of {name} went back"
            self.reached[name] = reached

    def _check_commits(self) -> None:
        """No commit passes what is not decided, stored and learned."""
        commits: dict[int, Committed] = self.broker.commits.get((SETTINGS.kafka_group, TOPIC), {})
        for partition, commit in commits.items():
            before = self.committed.get(partition, 0)
            assert commit.offset >= before, "a commit went back"
            self.committed[partition] = commit.offset
            for offset in range(before, commit.offset):
                where = f"{partition}/{offset}"
                assert (partition, offset) in self.oracle.told, (
                    f"{where} is committed, not accounted for"
                )
                place = self.oracle.places[partition, offset]
                if place.name is not None:
                    assert self.reached.get(place.name, -1) >= offset, f"{where} is not learned"
                if place.decision is not None:
                    assert place.decision in self.oracle.stored, f"{where} is not stored"

    def _compare(self) -> None:
        assert self.oracle.stored == set(self.oracle.decisions)
        last: dict[str, int] = {}
        for name, offset in self.oracle.history:
            last[name] = max(offset, last.get(name, -1))
        assert self.reached == last
        assert self.published[ALERTS] == self.oracle.alerts
        letters = [json.loads(value) for value in self.published[LETTERS]]
        found = {
            (each["partition"], each["offset"], each["state"], each["code"], b64decode(each["raw"]))
            for each in letters
        }
        assert found == self.oracle.letters == self.oracle.kept
        proof = ledger.topic(SETTINGS, self.admin, self.store, TOPIC)
        gaps = sum(self.broker.log(TOPIC, p).high - self._end(p) for p in range(self.partitions))
        assert proof.sound, proof
        assert proof.in_flight == gaps, proof
        wanted: dict[str, int] = {}
        for (partition, offset), place in self.oracle.places.items():
            if offset < self._end(partition):
                wanted[place.end] = wanted.get(place.end, 0) + 1
        assert proof.states == wanted, (proof, wanted)
