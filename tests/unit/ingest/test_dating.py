"""One record must not set the clock of its entity; and whoever reads it again judges it alike."""

from hypothesis import given
from hypothesis import strategies as st

from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.dating import Dating, judged_by
from stormwatch.ingest.in_flight import BATCHES
from stormwatch.ingest.partition import Rules
from stormwatch.records import Record
from tests.models.reader import World

NOW = 1_700_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
AHEAD = 200 * DAY
dating = Dating(lambda: NOW, DAY)


class Clocked(World):
    """A reader with a wall clock; its batches are of three records at most."""

    def __init__(self) -> None:
        self.wall = NOW
        limits = BufferLimits(3, 10_000, 100, Dating(lambda: self.wall, DAY))
        super().__init__(1, rules=Rules(limits, 99, 180.0, "spout", 60.0))

    def take(self, turns: int = 60, acked: int = 99) -> dict[int, int]:
        """offset -> the time it is judged by, of what is sent; so many batches are acked."""
        found: dict[int, int] = {}
        for _ in range(turns):
            self.now += 0.1
            for item in self.reader.step():
                if item.stream == BATCHES and item.records:
                    assert isinstance(item.payload, list)
                    found |= {record.offset: record.dated for record in item.payload}
                    acked -= 1
                if acked >= 0:
                    self.reader.ack(item.tup_id)
        return found


def test_a_time_that_cannot_be_believed_is_that_of_the_reading() -> None:
    good, lately = Record(0, NOW - 5 * DAY, None, b""), Record(1, NOW + DAY, None, b"")
    none, ahead, ns = (Record(n, t, None, b"") for n, t in ((2, -1), (3, NOW + AHEAD), (4, 10**18)))
    assert dating.of([good, lately]) == [good, lately]
    found = dating.of([good, lately, none, ahead, ns])
    assert [r.dated for r in found] == [good.timestamp, lately.timestamp, NOW, NOW, NOW]
    assert [r.timestamp for r in found][2:] == [-1, NOW + AHEAD, 10**18], "Kafka's own is kept"
    assert [judged_by(r, r.dated if r.read else None, DAY) for r in found] == found
    assert [judged_by(Record(*(r.offset, r.timestamp, r.key, r.value)), r.dated, DAY) for r in found
            ] == found  # fmt: skip


times = st.lists(
    st.sampled_from([NOW, NOW - DAY, NOW + DAY, NOW + DAY + HOUR, NOW + AHEAD, -1, 10**18]),
    min_size=1, max_size=12,
)  # fmt: skip


@given(times, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3 * HOUR)), max_size=4))
def test_however_often_it_dies_and_is_read_again_a_record_is_judged_by_one_time(
    log: list[int], deaths: list[tuple[int, int]]
) -> None:
    """Also where the record is no longer ahead of the clock when it is read again."""
    world = Clocked()
    for at in log:
        world.broker.append("t", b"k", b"v", 0, at)
    judged: dict[int, set[int]] = {}
    for acked, later in [*deaths, (99, 0)]:
        for offset, time in world.take(acked=acked).items():
            judged.setdefault(offset, set()).add(time)
        world.wall += later
        world.start()  # killed: nothing was told
    assert set(judged) == set(range(len(log)))
    assert all(len(found) == 1 for found in judged.values())


def test_records_that_kafka_dates_well_need_no_commit_before_they_are_sent() -> None:
    world = Clocked()
    world.broker.append("t", b"k", b"v", 0, NOW)
    world.drain()
    before = world.commits.count(True)
    world.broker.append("t", b"k", b"v", 0, NOW)
    assert world.take(turns=2) and world.commits.count(True) == before
    world.broker.append("t", b"k", b"v", 0, -1)
    assert world.take(turns=2) and world.commits.count(True) == before + 1
