"""Far more than can be decided, for minutes: what waits is left in Kafka, not in memory."""

import time
from collections import defaultdict

from apps.prove.chaos.campaign import Play
from apps.prove.chaos.environment import committed
from apps.prove.chaos.errors import expect
from apps.prove.soak.load import Load
from apps.prove.soak.samples import processes

TIMES = 10
MEASURE_S = 15.0
GROWTH_MB = 64.0
"""A process may grow by so much from the flood's first fifth on; its cache of states is smaller."""
_TIMED_OUT = "Storm's time-out passed"
_LATE_S = 0.2
"""Each answer of Cassandra, so that the flood's ten times are few enough for one machine."""


def flood(play: Play, seconds: float) -> None:
    """TIMES what was decided before, for `seconds`."""
    scene, proxy = play.scene, play.proxy
    assert proxy is not None
    proxy.pause = _LATE_S
    play.more(play.later(20_000, "capacity"))
    play.wait(MEASURE_S)
    began, before = time.monotonic(), committed(scene.ledger())
    play.wait(MEASURE_S)
    capacity = (committed(scene.ledger()) - before) / (time.monotonic() - began)
    expect(capacity > 0, "nothing was decided before the flood")
    scene.tell(f"{capacity:,.0f} records/s are decided; now {TIMES} times as many come")
    told = scene.said().count(_TIMED_OUT)  # at a slow start, before Cassandra was reached
    load = Load(scene.settings, play.later(1 << 40, "flood"), TIMES * capacity)
    sizes: dict[tuple[str, int], list[float]] = defaultdict(list)
    load.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for each in processes([scene.run.pid], time.time()):
                sizes[each.name, each.pid].append(each.rss)
            scene.ledger()
            play.wait(5)
    finally:
        load.stop()
    expect(not load.lost, f"Kafka refused {load.lost} records of the flood")
    play.count += load.published
    proxy.pause = 0.0
    scene.tell(f"the flood of {load.published:,} records is over; Cassandra answers at once again")
    play.fell()
    said = scene.said()
    expect(said.count(_TIMED_OUT) == told, f"a flood made batches time out:\n{said}")
    grown = {name: growth(sizes_of) for (name, _), sizes_of in sizes.items()}
    worst = max(grown, key=lambda name: grown[name])
    play.notes.append(
        f"A flood of {load.published:,} records in {seconds:.0f} s, {TIMES} times the "
        f"{capacity:,.0f}/s that were decided; the process that grew most in it: {worst}, "
        f"{grown[worst]:+.1f} MB."
    )
    python = {name: size for name, size in grown.items() if name != "storm"}  # its heap is set
    expect(all(size < GROWTH_MB for size in python.values()), f"memory grew: {grown} MB")


def growth(sizes: list[float]) -> float:
    """MB from the greatest size of the first fifth to the greatest of the last."""
    fifth = max(1, len(sizes) // 5)
    return max(sizes[-fifth:]) - max(sizes[:fifth])
