"""The figures of all topologies in Prometheus' text format: `GET /metrics`.

Labels are the domain and what is counted, never a customer, a machine or a record. Counts are sums
over the processes that run: they fall when one starts again, which Prometheus takes for a reset.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from apps.operate.figures import Look, rejected_by_code
from apps.serve import answers
from stormwatch.metrics import Labelled, Snapshot, upper_edge

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
BUCKETS_MS = (
    5, 10, 25, 50, 75, 100, 150, 250, 500, 750, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
    300_000,
)  # fmt: skip
"""Upper edges of the latency histogram."""

_COUNTS: tuple[tuple[str, str, str], ...] = (
    ("records", "state", "Records by end state"),
    ("rejected", "code", "Rejected records by code"),
    ("noted", "what", "Decisions that a person should know something of, by what"),
    ("skew", "vectors", "Feature vectors computed again from the events: compared, differing"),
    ("labelled", "became", "Labelled events by whether an alert was raised: found, missed …"),
)


def text(looks: Mapping[str, Look], ledgers: Iterable[answers.Ledger], trouble: bool) -> bytes:
    """Of the newest looks, by domain, and ledgers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(list(_families(looks, ledgers, trouble))))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _families(
    looks: Mapping[str, Look], ledgers: Iterable[answers.Ledger], trouble: bool
) -> Iterator[Metric]:
    for name, label, says in _COUNTS:
        family = CounterMetricFamily(f"stormwatch_{name}", says, labels=["domain", label])
        for domain, look in looks.items():
            for what, count in sorted(_counted(name, look).items()):
                family.add_metric([domain, what], count)
        yield family
    for name, says in (("alerts", "Alerts"), ("degraded", "Decisions by rules alone"),
                       ("failed", "Batches given back to be tried again")):  # fmt: skip
        family = CounterMetricFamily(f"stormwatch_{name}", says, labels=["domain"])
        for domain, look in looks.items():
            family.add_metric([domain], getattr(look, name))
        yield family
    yield _latency(looks)
    lag = GaugeMetricFamily(
        "stormwatch_lag_records", "Records that are not committed yet", labels=["domain"]
    )
    tasks = GaugeMetricFamily(
        "stormwatch_tasks", "Tasks that have written their figures of late", labels=["domain"]
    )
    drift = GaugeMetricFamily(
        "stormwatch_drift_index",
        "Population stability index against the model's training; above 0.25 much has changed",
        labels=["domain", "feature"],
    )
    alarms = GaugeMetricFamily(
        "stormwatch_alarm",
        "1 while something is wrong with the predictions: drift, precision or recall by labels …",
        labels=["domain", "alarm"],
    )
    early = GaugeMetricFamily(
        "stormwatch_labels_waiting", "Labels whose event is not decided yet", labels=["domain"]
    )
    for domain, look in looks.items():
        lag.add_metric([domain], look.lag)
        early.add_metric([domain], look.labelled.get(Labelled.WAITING, 0))
        for what in sorted(look.alarms):
            alarms.add_metric([domain, what], 1.0)
        tasks.add_metric([domain], look.tasks)
        for feature, index in sorted(look.drift.items()):
            drift.add_metric([domain, feature], index)
    yield from (lag, tasks, drift, alarms, early)
    yield from _of_processes(looks)
    yield from _of_ledgers(list(ledgers))
    away = GaugeMetricFamily("stormwatch_trouble", "1 while Kafka or the store does not answer")
    away.add_metric([], float(trouble))
    yield away


def _counted(name: str, look: Look) -> Mapping[str, int]:
    if name == "records":
        return {state: count for state, count in look.ends.items() if ":" not in state}
    if name == "rejected":
        return rejected_by_code(look.ends)
    counts: Mapping[str, int] = getattr(look, name)
    return {what: count for what, count in counts.items() if what != Labelled.WAITING}


def _latency(looks: Mapping[str, Look]) -> Metric:
    family = HistogramMetricFamily(
        "stormwatch_decision_latency_seconds",
        "From a record's Kafka time to its committed decision",
        labels=["domain"],
    )
    for domain, look in looks.items():
        counts, total = [0] * (len(BUCKETS_MS) + 1), 0.0
        for bucket, count in look.latency.items():
            edge = upper_edge(bucket)
            counts[bisect_left(BUCKETS_MS, edge)] += count
            total += edge / 1000 * count
        buckets, seen = [], 0
        for ms, count in zip((*BUCKETS_MS, None), counts, strict=True):
            seen += count
            buckets.append(("+Inf" if ms is None else str(ms / 1000), float(seen)))
        family.add_metric([domain], buckets, sum_value=total)
    return family


_OF_PROCESS: tuple[tuple[str, str], ...] = (
    ("batches", "Batches that were committed"),
    ("failed", "Batches given back to be tried again"),
    ("hits", "States that were in the cache"),
    ("misses", "States that were not in the cache"),
)


def _of_processes(looks: Mapping[str, Look]) -> Iterator[Metric]:
    by = ["domain", "component"]
    some = [
        (domain, component, snapshot)
        for domain, look in looks.items()
        for (component, _), snapshot in look.processes
    ]
    for name, says in _OF_PROCESS:
        family = CounterMetricFamily(f"stormwatch_component_{name}", says, labels=by)
        for place, value in _summed((d, c, getattr(s, name)) for d, c, s in some):
            family.add_metric(place, value)
        yield family
    seconds = CounterMetricFamily(
        "stormwatch_component_seconds",
        "Seconds by what they went into: wait, read, decode, process, emit; parts of process are a "
        "chain's steps, score and store; of score features, model, rules, encode",
        labels=[*by, "stage"],
    )
    spent: Counter[tuple[str, str, str]] = Counter()
    for domain, component, snapshot in some:
        for stage, us in snapshot.spent.items():
            spent[domain, component, stage] += us
    for where, us in sorted(spent.items()):
        seconds.add_metric(where, us / 1e6)
    yield seconds
    cpu = CounterMetricFamily(
        "stormwatch_component_cpu_seconds", "Seconds of processor time of its processes", labels=by
    )
    for place, value in _summed((d, c, s.cpu / 1e6) for d, c, s in some):
        cpu.add_metric(place, value)
    yield cpu
    yield _sizes(some)
    for name, says in (("resident", "Bytes in memory"), ("cached", "States in the cache")):
        unit = "_bytes" if name == "resident" else "_states"
        gauge = GaugeMetricFamily(f"stormwatch_component_{name}{unit}", says, labels=by)
        for place, value in _summed((d, c, getattr(s, name)) for d, c, s in some):
            gauge.add_metric(place, value)
        yield gauge
    tasks = GaugeMetricFamily("stormwatch_component_tasks", "Processes that run", labels=by)
    for place, value in _summed((d, c, 1) for d, c, _ in some):
        tasks.add_metric(place, value)
    starts = GaugeMetricFamily(
        "stormwatch_component_starts", "Processes that began or ran within a day", labels=by
    )
    for domain, look in looks.items():
        for component, count in sorted(look.starts.items()):
            starts.add_metric([domain, component], count)
    yield from (tasks, starts)


def _summed(some: Iterable[tuple[str, str, float]]) -> list[tuple[tuple[str, str], float]]:
    found: Counter[tuple[str, str]] = Counter()
    for domain, component, value in some:
        found[domain, component] += value  # type: ignore[assignment]
    return sorted(found.items())


def _sizes(some: Iterable[tuple[str, str, Snapshot]]) -> Metric:
    family = HistogramMetricFamily(
        "stormwatch_component_batch_records", "Records of a batch", labels=["domain", "component"]
    )
    sizes: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for domain, component, snapshot in some:
        sizes[domain, component].update(snapshot.sizes)
    for place, counts in sorted(sizes.items()):
        buckets, seen = [], 0
        for edge in sorted(counts):
            seen += counts[edge]
            buckets.append((str(float(edge)), float(seen)))
        family.add_metric(place, [*buckets, ("+Inf", float(seen))], sum_value=None)
    return family


def _of_ledgers(ledgers: list[answers.Ledger]) -> Iterator[Metric]:
    for name, says in (("unaccounted", "Offsets without an end state"),
                       ("in_flight", "Offsets that are in work"),
                       ("conflicting", "Offsets with two end states")):  # fmt: skip
        family = GaugeMetricFamily(
            f"stormwatch_ledger_{name}", f"{says}, of a topic", labels=["domain", "topic"]
        )
        for one in ledgers:
            family.add_metric([one.domain, one.topic], getattr(one, name))
        yield family
