"""Latency buckets and quantiles."""

from hypothesis import given
from hypothesis import strategies as st

from stormwatch.metrics import Metrics, Stopwatch, bucket_of, quantiles, since, upper_edge


@given(st.integers(0, 1 << 40))
def test_a_bucket_holds_its_latency_to_a_64th(ms):
    edge = upper_edge(bucket_of(ms))
    assert ms <= edge <= ms + ms // 64
    assert bucket_of(edge) == bucket_of(ms) != bucket_of(edge + 1)


@given(
    st.lists(st.integers(0, 60_000), min_size=1, max_size=200),
    st.sampled_from([0.5, 0.95, 0.99, 1.0]),
)
def test_quantiles_against_sorting(latencies, share):
    metrics = Metrics()
    metrics.batch({}, 0, [-ms for ms in latencies], 0)
    [found] = quantiles([dict(metrics.latency)], [share])
    exact = sorted(latencies)[max(0, -int(-share * len(latencies) // 1) - 1)]
    assert found is not None and exact <= found <= exact + exact // 64


def test_no_records_no_quantile():
    assert quantiles([{}], [0.5]) == [None]


def test_negative_latency_counts_as_none():
    assert bucket_of(-5) == 0


def test_since_subtracts_what_was_there():
    assert since({1: 5, 2: 2, 3: 1}, {1: 3, 2: 2}) == {1: 2, 3: 1}


def test_batch_sizes_are_counted_by_powers_of_two() -> None:
    metrics = Metrics()
    for records in (1, 2, 3, 4, 5, 1_000, 0):
        metrics.sized(records)
    metrics.spent["decode"] += 2_500
    snapshot = metrics.snapshot(5, 1, "h", 0, (3, 1), 1 << 20, 2)
    assert snapshot.sizes == {1: 2, 2: 1, 4: 2, 8: 1, 1_024: 1}
    assert (snapshot.spent, snapshot.hits, snapshot.misses) == ({"decode": 2}, 3, 1)
    assert (snapshot.resident, snapshot.started) == (1 << 20, 2)


def test_a_stopwatch_gives_each_stage_what_passed_since_the_last_look() -> None:
    metrics, times = Metrics(), iter((100, 103, 110, 111))
    watch = Stopwatch(lambda: next(times), metrics.spent)
    watch.start()
    for stage in ("rules", "model", "rules"):
        watch.lap(stage)
    assert metrics.spent == {"rules": 4, "model": 7}


def test_without_a_clock_it_stands_still() -> None:
    watch = Stopwatch()
    watch.start()
    watch.lap("rules")
    assert watch.spent["rules"] == 0
