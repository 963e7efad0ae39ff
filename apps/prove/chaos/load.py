"""Far more than can be decided, nothing at all, or one hot key: what the traffic itself does."""

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from apps.data.generate.transactions import Transactions
from apps.local.memory import processes
from apps.prove.chaos import faults
from apps.prove.chaos.campaign import START_S, Trial
from apps.prove.chaos.environment import Environment, committed
from apps.prove.chaos.errors import expect
from apps.prove.chaos.run import JVM, SPOUT
from apps.prove.chaos.traffic import KeyValue, Load, hot, mixed
from apps.prove.verdict.tables import stored

TIMES = 10
MEASURE_S = 15.0
GROWTH_MB = 64.0
"""A process may grow by so much from the flood's first fifth on; its cache of states is smaller."""
_TIMED_OUT = "Storm's time-out passed"
_LATE_S = 0.2
"""Each answer of Cassandra, so that the flood's ten times are few enough for one machine."""


def flood(trial: Trial, seconds: float) -> None:
    """TIMES what was decided before, for `seconds`."""
    environment, proxy = trial.environment, trial.proxy
    assert proxy is not None
    proxy.pause = _LATE_S
    trial.more(trial.later(20_000, "capacity"))
    trial.wait(MEASURE_S)
    began, before = time.monotonic(), committed(environment.ledger())
    trial.wait(MEASURE_S)
    capacity = (committed(environment.ledger()) - before) / (time.monotonic() - began)
    expect(capacity > 0, "nothing was decided before the flood")
    environment.tell(f"{capacity:,.0f} records/s are decided; now {TIMES} times as many come")
    told = environment.said().count(_TIMED_OUT)  # at a slow start, before Cassandra was reached
    load = Load(environment.settings, trial.later(1 << 40, "flood"), TIMES * capacity)
    sizes: dict[tuple[str, int], list[float]] = defaultdict(list)
    load.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for each in processes([environment.run.pid], time.time()):
                sizes[each.name, each.pid].append(each.rss)
            environment.ledger()
            trial.wait(5)
    finally:
        load.stop()
    expect(not load.lost, f"Kafka refused {load.lost} records of the flood")
    trial.count += load.published
    proxy.pause = 0.0
    environment.tell(
        f"the flood of {load.published:,} records is over; Cassandra answers at once again"
    )
    trial.fell()
    said = environment.said()
    expect(said.count(_TIMED_OUT) == told, f"a flood made batches time out:\n{said}")
    grown = {name: growth(sizes_of) for (name, _), sizes_of in sizes.items()}
    worst = max(grown, key=lambda name: grown[name])
    trial.notes.append(
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


SOON_S = 10.0
"""A record after the silence is decided and committed within this, on a machine that is busy."""
IDLE_GROWTH_MB = 16.0
"""A Python process may grow by so much while it has nothing to do."""
AFTER = 20_000


def idle(trial: Trial, seconds: float) -> None:
    """All is decided; `seconds` of silence; one record; then as many as there were before."""
    environment = trial.environment
    environment.drain(trial.count, START_S)
    pids = _pids(environment)
    environment.tell(f"all is decided; nothing is sent for {seconds:.0f} s")
    trial.wait(min(30.0, seconds))  # what the traffic left is collected
    before = _sizes(environment)
    trial.wait(seconds - min(30.0, seconds))
    grown = {name: size - before.get(name, size) for name, size in _sizes(environment).items()}
    expect(
        _pids(environment) == pids,
        f"processes {pids} became {_pids(environment)}:\n{environment.said()}",
    )
    began = time.monotonic()
    trial.more(mixed(1, run="after"))
    environment.drain(trial.count, START_S)
    took = time.monotonic() - began
    environment.tell(f"one record after {seconds:.0f} s of silence: committed after {took:.2f} s")
    trial.more(mixed(AFTER, run="again"))
    trial.fell()
    worst = max(grown, key=lambda name: grown[name])
    trial.notes.append(
        f"After {seconds:.0f} s of silence one record was committed within {took:.2f} s of being "
        f"sent; no process died; the one that grew most in the silence: {worst}, "
        f"{grown[worst]:+.1f} MB."
    )
    expect(took < SOON_S, f"the record after the silence took {took:.1f} s")
    python = {name: size for name, size in grown.items() if name != "storm"}  # its heap is set
    expect(all(size < IDLE_GROWTH_MB for size in python.values()), f"memory grew: {grown} MB")


def _pids(environment: Environment) -> list[int]:
    return sorted(pid for part in (JVM, SPOUT, environment.bolt) for pid in environment.pids(part))


def _sizes(environment: Environment) -> dict[str, float]:
    """MB by component, the greatest process of each."""
    sizes: dict[str, float] = {}
    for each in processes([environment.run.pid], time.time()):
        sizes[each.name] = max(each.rss, sizes.get(each.name, 0.0))
    return sizes


RATE, SECONDS, WARM = 400, 30, 5
"""Records a second, for how long, and seconds at the start of which nothing is counted."""


def hot_key(trial: Trial) -> None:
    """The others' p99 with and without a hot key at the same rate; then a kill among the hot."""
    trial.environment.drain(trial.count, START_S)
    beside, alone = _measure(trial, True), _measure(trial, False)
    note = (
        f"At {RATE} records/s the other keys took at most {beside} ms (p99) with half of the "
        f"traffic on one key, {alone} ms without it: {beside / max(1, alone):.1f} times."
    )
    trial.environment.tell(note)
    trial.notes.append(note)
    trial.more(hot(20_000, trial.random.randrange(1 << 30)))
    faults.kill_bolt(trial)


def _measure(trial: Trial, with_hot: bool) -> int:
    """p99 of the others, ms from publishing to the decision: at most so much, for a record is taken
    to be as old as the oldest of its batch."""
    run = f"{'hot' if with_hot else 'even'}-phase"
    others = trial.later(RATE * SECONDS, run)
    one = iter(Transactions(8, run=f"{run}-one", customers=1))
    is_hot = [with_hot and number % 2 == 0 for number in range(RATE * SECONDS)]

    def paced() -> Iterator[KeyValue]:
        began = time.monotonic()
        for number, hot_now in enumerate(is_hot):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            yield next(one)[:2] if hot_now else next(others)

    half = "half" if with_hot else "none"
    trial.environment.tell(f"{RATE} records/s for {SECONDS} s, {half} of them of one key")
    places = trial.more(paced())
    trial.environment.drain(trial.count, START_S)
    spans = sorted(
        (each.partition, each.first, each.last, each.age)
        for each in stored(trial.environment.settings).written
        if each.part.startswith("score")
    )
    took = []
    for (partition, offset), hot_now in list(zip(places, is_hot, strict=True))[WARM * RATE :]:
        span = spans[bisect_right(spans, (partition, offset, 1 << 62, 0)) - 1]
        if not hot_now and span[0] == partition and span[1] <= offset <= span[2]:
            took.append(span[3])
    return sorted(took)[int(0.99 * len(took))]
