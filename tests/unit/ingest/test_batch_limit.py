"""A batch that Storm's time-out strikes again and again comes smaller; nothing is lost of it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.ingest.batch_limit import RELAX, SHRINK, TIMEOUTS, BatchLimit
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.commit_metadata import Start
from stormwatch.ingest.in_flight import BATCHES
from stormwatch.ingest.partition import Partition, Rules
from stormwatch.records import Record
from tests.models.reader import RULES as READER_RULES
from tests.models.reader import World
from tests.models.starts import begin

TIMEOUT_S = 60.0


def partition(most: int) -> Partition:
    limits = BufferLimits(records=most, bytes=1_000_000, record_bytes=1000)
    rules = Rules(limits, 2, 180.0, "spout", TIMEOUT_S)
    made = Partition("t", 0, Start(0, begin(None, 1, 0).mark, False), rules, Random(1))
    made.prepare()
    send(made, 0.0)
    assert made.ack(made.item.tup_id)
    return made


def send(made: Partition, now: float) -> None:
    made.release(made.commit)
    made.sent(now)


def records(offsets: list[int]) -> list[Record]:
    return [Record(offset, 1000, b"k", b"v") for offset in offsets]


def process(made: Partition, a_record_s: float, limit: int = 100_000) -> tuple[list[int], int]:
    """A bolt that needs so long for a record; the offsets in order, and how often it timed out."""
    now, seen, timeouts = 0.0, [], 0
    for _ in range(limit):
        item = made.prepare()
        if item is None:
            return seen, timeouts
        now = max(now, item.due_at)
        send(made, now)
        takes = a_record_s * item.records
        if takes < TIMEOUT_S:
            now += takes
            seen += [each.offset for each in item.payload]
            old = item.tup_id
            assert made.ack(old)
        else:
            now += TIMEOUT_S
            timeouts += 1
            old = item.tup_id
            assert made.fail(old, now) is not None
            assert not made.ack(old)  # the slow attempt ends at last: it commits nothing
    raise AssertionError("a live-lock")


@settings(max_examples=60)
@given(
    gaps=st.lists(st.integers(1, 4), min_size=1, max_size=120),
    most=st.integers(1, 50),
    a_record_s=st.floats(0, 59),
)
def test_whatever_fits_into_the_time_out_gets_through_in_order(gaps, most, a_record_s):
    offsets = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    made = partition(most)
    made.buffer.arrived(records(offsets))
    seen, _ = process(made, a_record_s)
    assert seen == offsets
    assert made.position == offsets[-1] + 1
    assert not made.buffer and made.buffer._bytes == 0


def test_a_later_try_at_an_offset_has_a_higher_attempt_however_the_batch_was_cut():
    made, now, tries = partition(50), 0.0, {}
    made.buffer.arrived(records(list(range(120))))
    while (item := made.prepare()) is not None:
        now = max(now, item.due_at)
        send(made, now)
        for each in item.payload:
            assert item.fragment.attempt > tries.get(each.offset, -1)
            tries[each.offset] = item.fragment.attempt
        now += TIMEOUT_S
        if item.records > 3:
            assert made.fail(item.tup_id, now) is not None
        else:
            assert made.ack(item.tup_id)
    assert len(tries) == 120 and max(tries.values()) > 2


def test_a_thousand_slow_records_are_through_after_few_time_outs():
    made = partition(1000)
    made.buffer.arrived(records(list(range(1000))))
    seen, timeouts = process(made, 1.0)  # 59 of them fit
    assert seen == list(range(1000))
    assert timeouts <= 10


def test_one_time_out_is_no_reason_and_an_outage_neither():
    batch_limit = BatchLimit(100, TIMEOUT_S)
    assert batch_limit.timed_out(100, TIMEOUT_S) == 100
    batch_limit.passed()
    assert batch_limit.timed_out(100, TIMEOUT_S) == 100
    for _ in range(50):
        assert (
            batch_limit.timed_out(100, TIMEOUT_S - 1) == 100
        )  # Cassandra was away: sooner than that
    assert batch_limit.most == 100


def test_it_tightens_down_to_one_and_loosens_again():
    batch_limit = BatchLimit(100, TIMEOUT_S)
    sizes, size = [], 100
    for _ in range(6):
        size = batch_limit.timed_out(size, 2 * TIMEOUT_S)
        sizes.append(size)
    assert sizes == [100, 25, 6, 1, 1, 1]
    assert (TIMEOUTS, SHRINK) == (2, 4)
    for _ in range(7 * RELAX):
        batch_limit.passed()
    assert batch_limit.most == 100


@pytest.mark.parametrize("silent", [False, True], ids=["failed", "silent"])
def test_the_reader_says_what_to_do(caplog, silent):
    world = World(partitions=1)
    world.drain()
    world.write(0, 40)
    (item,) = next(items for _ in range(20) if (items := world.reader.step()))
    assert item.records == READER_RULES.limits.records == 10
    for _ in range(TIMEOUTS):
        world.now += 200
        if silent:
            again = world.reader.step()
        else:
            world.reader.fail(item.tup_id)
            world.now += 20
            again = world.reader.step()
        assert again == [item]
    assert (item.records, item.fragment.attempt) == (2, 2)
    assert "had 10 records and comes again with 2. Raise the message time-out" in caplog.text
    assert "lower batch.max_records" in caplog.text
    world.reader.ack(item.tup_id)
    rest = [i for i in world.drain() if i.stream == BATCHES]
    assert [o for i in rest for o in range(i.fragment.first, i.fragment.last + 1)] == list(
        range(item.fragment.last + 1, 40)
    )
    assert world.committed() == {0: 40}
