"""The partition state machine against a simple model, in any order of what can happen to it."""

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stormwatch.codec import Asides
from stormwatch.ingest.buffer import Buffer, BufferLimits
from stormwatch.ingest.choice import choose
from stormwatch.ingest.commit_metadata import Start
from stormwatch.ingest.in_flight import BACKOFF_MAX_S, BATCHES, NOTICES, InFlight
from stormwatch.ingest.partition import CAUTION, Partition, Rules
from stormwatch.ledger import bitmap
from stormwatch.ports import Committed
from stormwatch.records import Record
from tests.models.starts import begin

LIMITS = BufferLimits(records=8, bytes=400, record_bytes=60)
AFTER = 2
RULES = Rules(
    LIMITS, quarantine_after=AFTER, resend_after_s=180.0, component="spout", timeout_s=60.0
)


def record(offset: int, size: int = 5) -> Record:
    return Record(offset, 1000 + offset, b"k", b"x" * size)


class Log:
    """A partition's log, the group's commit, and the process that reads it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.low = self.high = 0
        self.committed: Committed | None = None
        self.epoch = 1
        self.now = 0.0
        self.start()

    def start(self) -> None:
        start = begin(self.committed, self.epoch, self.low)
        self.partition = Partition("t", 3, start, RULES, Random(7))
        if self.low > self.partition.position:
            self.partition.expire(self.low)

    def fetch(self, count: int) -> None:
        buffer = self.partition.buffer
        buffer.arrived([r for r in self.records if r.offset >= max(buffer.read, self.low)][:count])

    def commit(self) -> None:
        self.committed = self.partition.commit
        self.partition.release(self.committed)

    def turn(self) -> InFlight | None:
        self.partition.prepare()
        for chosen in choose([self.partition], self.now, 0.0):
            chosen.guard()
            if chosen.hold:
                self.commit()
            chosen.sent(self.now)
            return chosen.item
        return None


class Machine(RuleBasedStateMachine):
    """What a model of sets and counters says must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.ended: dict[int, str] = {}  # offset -> how it ended
        self.ids: list[str] = []
        self.in_hand: InFlight | None = None  # the item sent and not acked by this process
        self.generation = 0
        self.proven = False  # the empty batch after an unclean stop is acked
        self.alone: dict[int, int] = {}  # consecutive deaths with this record alone in flight
        self.killers: set[int] = set()
        self.expect = 0  # every offset below is ended
        self.begin = 0  # where reading began; moves while nothing is committed

    # The world

    @rule(gap=st.integers(0, 3), size=st.integers(0, 200), killer=st.booleans())
    def produce(self, gap: int, size: int, killer: bool) -> None:
        offset = self.log.high + gap
        self.log.records.append(record(offset, size))
        self.log.high = offset + 1
        if killer and len(self.killers) < 3:
            self.killers.add(offset)

    @rule(count=st.integers(1, 20))
    def fetch(self, count: int) -> None:
        self.log.fetch(count)

    @rule(seconds=st.sampled_from([0.05, 1.0, 20.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.log.now += seconds

    @rule(share=st.floats(0, 1))
    @precondition(lambda self: self.log.partition.drained)
    def retention(self, share: float) -> None:
        log = self.log
        log.low = max(log.low, int(log.high * share))
        if log.low > log.partition.buffer.read:
            log.partition.expire(log.low)

    # Storm

    @rule()
    def send(self) -> None:
        before = self.log.partition.item
        item = self.log.turn()
        if item is None:
            return
        fragment = item.fragment
        assert item.tup_id not in self.ids
        assert fragment.first == self.expect == self.log.partition.position
        if self.in_hand is not None:
            assert item is self.in_hand is before  # nothing new before the ack
        assert fragment.generation >= self.generation
        self.generation = fragment.generation
        self.ids.append(item.tup_id)
        self.in_hand = item
        covered = [r.offset for r in self.log.records
                   if fragment.first <= r.offset <= fragment.last]  # fmt: skip
        if item.stream == BATCHES and item.empty:
            assert item.payload == [] == covered and not item.guarded
        elif item.stream == BATCHES:
            assert [r.offset for r in item.payload] == covered
            assert self.proven or not item.probe
            assert fragment.last == covered[-1]
            assert len(covered) <= LIMITS.records
            sizes = [len(r.value) for r in item.payload]
            assert max(sizes) <= LIMITS.record_bytes + 1
            assert len(covered) == 1 or sum(sizes) <= LIMITS.bytes
            if len(covered) == 1:
                assert self.alone.get(covered[0], 0) < AFTER or not item.probe
            if self.killers & set(covered):
                self.crash()
        else:
            self.notice(item, covered)

    def notice(self, item: InFlight, covered: list[int]) -> None:
        fragment, payload = item.fragment, item.payload
        assert isinstance(payload, Asides)
        assert payload.ledger.fragment.first == fragment.first
        if item.empty:
            assert payload.ledger.part == "start"
        elif payload.rows:
            assert [payload.rows[0].offset] == covered == [fragment.last]
            assert self.alone[fragment.last] >= AFTER and self.proven
            bits = payload.ledger.bitmaps["dead_lettered"]
            assert bitmap.offsets(bits, fragment.first) == covered
        else:
            assert fragment.last < self.log.low
            bits = payload.ledger.bitmaps["expired"]
            everything = list(range(fragment.first, fragment.last + 1))
            assert bitmap.offsets(bits, fragment.first) == everything

    @rule()
    @precondition(lambda self: self.in_hand is not None)
    def ack(self) -> None:
        item = self.in_hand
        flying = item.sent_at is not None
        assert self.log.partition.ack(item.tup_id) is flying
        if flying:
            for offset in range(item.fragment.first, item.fragment.last + 1):
                self.ended[offset] = item.stream
                self.alone.pop(offset, None)
            self.expect = max(self.expect, item.fragment.last + 1)
            self.proven = self.proven or (item.stream == BATCHES and item.empty)
            self.in_hand = None

    @rule(data=st.data())
    @precondition(lambda self: self.ids)
    def late_answer(self, data: st.DataObject) -> None:
        partition = self.log.partition
        current = self.in_hand.tup_id if self.in_hand else None
        old = data.draw(st.sampled_from(self.ids))
        if old != current:
            before = (partition.commit, partition.item)
            assert partition.ack(old) is False
            assert partition.fail(old, self.log.now) is None
            assert (partition.commit, partition.item) == before

    @rule()
    @precondition(lambda self: self.in_hand is not None and self.in_hand.sent_at is not None)
    def fail(self) -> None:
        item, attempt = self.in_hand, self.in_hand.fragment.attempt
        first, records, slow = item.fragment.first, item.records, self.log.now - item.sent_at
        delay = self.log.partition.fail(item.tup_id, self.log.now)
        assert delay is not None and 0 < delay <= BACKOFF_MAX_S
        assert self.log.turn() is None
        assert item.fragment.attempt == attempt + 1
        assert item.fragment.first == first and min(records, 1) <= item.records <= records
        assert item.records == records or slow >= RULES.timeout_s

    @rule()
    def watchdog(self) -> None:
        item = self.in_hand
        silent = item is not None and item.sent_at is not None
        expected = silent and self.log.now - item.sent_at > RULES.resend_after_s
        assert self.log.partition.overdue(self.log.now) is expected

    # Commits and restarts

    @rule()
    def commit(self) -> None:
        self.log.commit()

    @rule()
    def crash(self) -> None:
        item = self.in_hand
        if item and item.stream == BATCHES and item.probe:
            offset = item.fragment.last
            self.alone[offset] = self.alone.get(offset, 0) + 1
        self.restart()

    @rule()
    def stop_and_start(self) -> None:
        self.log.partition.rest()
        self.log.commit()
        self.alone.clear()
        self.restart()
        assert not self.log.partition._caution

    @rule()
    def sleep_and_wake(self) -> None:
        self.log.partition.rest()
        self.log.commit()
        self.log.partition.wake()
        assert self.log.partition.hold

    @rule()
    def partitions_added(self) -> None:
        self.log.epoch += 1
        self.log.partition.renew(self.log.epoch)

    def restart(self) -> None:
        before = self.log.committed
        self.log.start()
        self.proven = False
        self.in_hand = None
        partition = self.log.partition
        assert partition.position == (before.offset if before else self.log.low)
        self.expect = partition.position
        self.begin = self.begin if before else self.expect
        assert before is None or partition.commit.offset >= before.offset

    @invariant()
    def commit_is_the_lowest_not_acked(self) -> None:
        offset = self.log.partition.commit.offset
        assert offset == self.expect
        kept = self.log.committed.offset if self.log.committed else 0
        assert kept <= offset
        missing = [r.offset for r in self.log.records
                   if r.offset < offset and r.offset not in self.ended]  # fmt: skip
        assert [o for o in missing if o >= self.begin] == []


TestPartition = Machine.TestCase
TestPartition.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)


def drain(log: Log, killers: set[int], limit: int = 10_000) -> tuple[int, dict[int, str]]:
    """Run until all is acked; a killer in a batch kills the process. Deaths, how each ended."""
    deaths, ended = 0, {}
    for _ in range(limit):
        log.fetch(8)
        item = log.turn()
        if item is None:
            if log.partition.buffer.read >= log.high:
                return deaths, ended
            continue
        if item.stream == BATCHES and killers & {r.offset for r in item.payload}:
            deaths += 1
            log.start()
            continue
        for offset in range(item.fragment.first, item.fragment.last + 1):
            ended[offset] = item.stream
        assert log.partition.ack(item.tup_id)
        if log.partition.position % 3 == 0:
            log.commit()
    raise AssertionError("it never ends")


@pytest.mark.parametrize("killer", range(0, 40, 3))
def test_a_killer_is_found_in_few_deaths_and_only_it_is_quarantined(killer):
    log = Log()
    log.records = [record(i) for i in range(40)]
    log.high = 40
    deaths, ended = drain(log, {killer})
    assert AFTER <= deaths <= AFTER + 2
    assert {o for o, stream in ended.items() if stream == NOTICES} == {killer}
    assert sorted(ended) == list(range(40))


def test_batches_double_after_an_unclean_stop_and_are_full_after_a_clean_one():
    for clean, sizes in ((False, [0, 1, 2, 4, 8, 8]), (True, [8, 8, 7])):
        log = Log()
        log.turn()
        assert log.partition.ack(log.partition.item.tup_id)
        if clean:
            log.partition.rest()
        log.commit()
        log.start()
        log.records = [record(i) for i in range(23)]
        log.high = 23
        log.fetch(23)
        seen = []
        while item := log.turn():
            seen.append(item.records)
            log.partition.ack(item.tup_id)
        assert seen == sizes


def test_batches_of_one_record_end_their_caution_too():
    rules = RULES._replace(limits=LIMITS._replace(records=1))
    start = begin(Committed(0, '{"v":1,"g":1,"e":1,"s":true}'), 1, 0)
    partition = Partition("t", 0, start, rules, Random(1))
    partition.buffer.arrived([record(0)])
    partition.prepare()
    partition.release(partition.commit)
    partition.sent(0)
    assert partition.ack(partition.item.tup_id)
    for offset in range(CAUTION + 1):
        partition.buffer.arrived([record(offset)])
        assert partition.prepare().probe is (offset < CAUTION)
        partition.guard()
        partition.release(partition.commit)
        partition.sent(0)
        assert partition.ack(partition.item.tup_id)


def test_deaths_before_an_empty_batch_came_through_are_no_records():
    log = Log()
    log.records = [record(i) for i in range(10)]
    log.high = 10
    for _ in range(10):  # a model is broken, say: whatever a bolt gets, it dies
        log.fetch(10)
        while (item := log.turn()).stream == NOTICES:
            log.partition.ack(item.tup_id)
        log.start()
    assert item.empty
    assert drain(log, set()) == (0, dict.fromkeys(range(10), BATCHES))


def test_a_large_expired_range_comes_in_chunks():
    log = Log()
    log.low = log.high = 150_000
    log.committed = Committed(10, '{"v":1,"g":5,"e":1,"c":true,"s":true}')
    log.start()
    spans = []
    while item := log.turn():
        spans.append((item.fragment.first, item.fragment.last, item.fragment.generation))
        log.partition.ack(item.tup_id)
    assert spans == [(10, 65545, 6), (65546, 131081, 6), (131082, 149999, 6)]
    assert log.partition.commit.offset == 150_000


def test_nothing_is_sent_before_the_generation_is_committed():
    partition = Partition("t", 0, begin(None, 1, 0), RULES, Random(1))
    assert partition.prepare()
    assert partition.hold
    with pytest.raises(AssertionError):
        partition.sent(0.0)


def test_records_that_come_twice_are_taken_once():
    buffer = Buffer(5, LIMITS)
    for first in (3, 4, 5, 6):
        buffer.arrived([record(i) for i in range(first, first + 3)])
    assert [r.offset for r in buffer.take(99)] == [5, 6, 7, 8]
    assert buffer.read == 9


def test_a_batch_is_bounded_in_bytes():
    buffer = Buffer(0, LIMITS)
    buffer.arrived([record(i, 60) for i in range(8)])
    assert [len(buffer.take(8)) for _ in range(3)] == [4, 4, 0]  # 60 and the key, and 32 besides


def test_backpressure_has_two_marks():
    partition = Partition("t", 0, Start(0, begin(None, 1, 0).mark, False), RULES, Random(1))
    buffer = partition.buffer
    assert buffer.hungry and not buffer.full
    buffer.arrived([record(i) for i in range(16)])
    assert buffer.full and not buffer.hungry
    buffer.take(5)
    assert not buffer.full and not buffer.hungry
    buffer.take(5)
    assert buffer.hungry
    buffer.arrived([record(20 + i, 50) for i in range(10)])
    assert buffer.full  # by bytes
