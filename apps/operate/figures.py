"""Figures of a topology from what Kafka and Cassandra say at a moment. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from stormwatch.metrics import REJECTED_CODE, Snapshot, quantiles, since, upper_edge
from stormwatch.records import DecisionRow, EndState

_decode = msgspec.json.Decoder(Snapshot).decode


class _Moment(msgspec.Struct):
    """All that is sure of a reading that another version wrote."""

    at: int


_moment = msgspec.json.Decoder(_Moment).decode


class Look(NamedTuple):
    """One topology at one moment; counts since the run began."""

    taken: int  # ms, when Kafka was asked
    at: int  # ms, of the newest meter; as `taken` where there is none
    high: int  # sum of the topic's high watermarks
    lag: int  # records that the consumer group has not committed
    ends: Mapping[str, int]
    latency: Mapping[int, int]
    alerts: int
    failed: int
    tasks: int  # that have written a meter: bolts that are ready
    newest: Sequence[DecisionRow] = ()
    degraded: int = 0  # decisions by rules alone
    noted: Mapping[str, int] = MappingProxyType({})  # as `records.Outcomes` has it
    labelled: Mapping[str, int] = MappingProxyType({})  # of `metrics.Labelled`
    drift: Mapping[str, float] = MappingProxyType({})
    """Feature, or "score" -> population stability index against the model's training: the greatest
    of all tasks in their last windows."""
    skew: Mapping[str, int] = MappingProxyType({})
    """`compared` and `differing`: feature vectors computed again."""
    alarms: Mapping[str, str] = MappingProxyType({})
    """What is wrong with the predictions now -> a sentence: `drift`, `precision` or `recall` by
    labels, …; of several tasks the one asked last."""
    unread: int = 0  # tasks whose meter was written by another version: not counted
    processes: Sequence[tuple[tuple[str, str], Snapshot]] = ()
    """Component and instance, what it says of itself."""
    starts: Mapping[str, int] = MappingProxyType({})
    """Component -> processes of it that wrote within a day: more than its tasks are restarts."""

    @property
    def decided(self) -> int:
        """Records that reached an end state."""
        return sum(self.ends.get(state, 0) for state in EndState if state is not EndState.ABSENT)


def measured(
    meters: Mapping[tuple[str, str], bytes],
) -> list[tuple[tuple[str, str], Snapshot]]:
    """(component, instance) and what it says of itself, by name; of other versions left out."""
    found = []
    for name, body in sorted(meters.items()):
        with suppress(msgspec.MsgspecError):
            found.append((name, _decode(body)))
    return found


NOTHING = Look(0, 0, 0, 0, {}, {}, 0, 0, 0)
"""Before the first record."""


class Latency(NamedTuple):
    """ms from a record's Kafka timestamp to its committed decision; None where nothing was."""

    p50: int | None
    p95: int | None
    p99: int | None
    max: int | None


class Rates(NamedTuple):
    """Between two looks."""

    incoming: float  # records/s written to the topic
    outgoing: float  # records/s decided
    latency: Latency


def look(
    meters: Mapping[tuple[str, str], bytes],
    began: int,
    taken: int,
    high: int,
    lag: int,
    newest: Sequence[DecisionRow] = (),
) -> Look:
    """Sum the meters written since `began` (ms): older ones are of processes of an earlier run.

    One that another version wrote is left out, and counted as unread.
    """
    ends: Counter[str] = Counter()
    latency: Counter[int] = Counter()
    noted: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    drift: dict[str, float] = {}
    skew: Counter[str] = Counter()
    alarms: dict[str, str] = {}
    at = alerts = failed = tasks = degraded = unread = 0
    processes: list[tuple[tuple[str, str], Snapshot]] = []
    for name, body in meters.items():
        try:
            if _moment(body).at < began:
                continue
            reading = _decode(body)
        except msgspec.MsgspecError:
            unread += 1
            continue
        ends.update(reading.ends)
        latency.update(reading.latency)
        noted.update(reading.noted)
        labelled.update(reading.labelled)
        drift |= {k: max(v, drift.get(k, 0.0)) for k, v in reading.drift.items()}
        skew.update(reading.skew)
        alarms |= reading.alarms
        processes.append((name, reading))
        if reading.passes_on:
            continue
        tasks += 1
        at = max(at, reading.at)
        alerts += reading.alerts
        failed += reading.failed
        degraded += reading.degraded
    return Look(
        taken,
        at or taken,
        high,
        lag,
        dict(ends),
        dict(latency),
        alerts,
        failed,
        tasks,
        tuple(newest),
        degraded,
        dict(noted),
        dict(labelled),
        drift,
        dict(skew),
        alarms,
        unread,
        tuple(processes),
        dict(Counter(component for component, _ in meters)),
    )


def rates(before: Look, now: Look) -> Rates:
    """Throughput and latency of what happened between two looks."""
    return Rates(
        _per_s(now.high - before.high, now.taken - before.taken),
        _per_s(now.decided - before.decided, now.at - before.at),
        latency_of(since(dict(now.latency), dict(before.latency))),
    )


def _per_s(count: int, ms: int) -> float:
    return max(count, 0) * 1000 / ms if ms > 0 else 0.0


def latency_of(histogram: dict[int, int]) -> Latency:
    """Percentiles of a histogram of meter buckets."""
    p50, p95, p99 = quantiles([histogram], (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99, upper_edge(max(histogram)) if histogram else None)


def rejected_by_code(ends: Mapping[str, int]) -> dict[str, int]:
    """Rejection code -> records."""
    return {
        key.removeprefix(REJECTED_CODE): count
        for key, count in sorted(ends.items())
        if key.startswith(REJECTED_CODE)
    }
