"""What a component counts: records by end state, latency, alerts. Cumulative since its start.

Latency is from a record's Kafka timestamp to its committed decision. The histogram is exact to a
millisecond below 128 ms and to 1/64 above (log-linear buckets, as HdrHistogram has them).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import msgspec

from stormwatch.records import NOTES

REJECTED_CODE = "rejected:"
"""A rejection is counted under its code as well: `rejected:<code>`."""
MUCH_DRIFT = 0.25
"""A population stability index above this: much has changed since the training. Below 0.1 little
has (Siddiqi, "Credit Risk Scorecards", 2006)."""
CODES_MOST = 1_000
"""Codes of reasons that are counted: sensors have names that people give."""
_SUB = 64


def bucket_of(ms: int) -> int:
    """The bucket of a latency; negative ones (clock skew) count as 0."""
    if ms < 2 * _SUB:
        return max(ms, 0)
    shift = ms.bit_length() - 7
    return shift * _SUB + (ms >> shift)


def upper_edge(bucket: int) -> int:
    """The largest latency, ms, that falls into the bucket."""
    if bucket < 2 * _SUB:
        return bucket
    shift = bucket // _SUB - 1
    return ((bucket - shift * _SUB + 1) << shift) - 1


class Labelled(StrEnum):
    """What became of an event of which a label arrived."""

    FOUND = "found"  # it deserved an alert and had one
    MISSED = "missed"
    FALSE_ALERT = "false_alert"
    PASSED = "passed"  # it deserved none and had none
    WAITING = "waiting"  # it is not decided yet: now, not ever
    UNKNOWN = "unknown"  # it was never decided, or its decision is not stored any more


def precision_recall(labelled: Mapping[str, int]) -> tuple[float | None, float | None]:
    """Of alerts, the share that deserved to be one; of what deserved one, the share that had one.

    Of labelled events alone. None where there is nothing to take a share of.
    """
    found, missed, false_alert = (
        labelled.get(what, 0) for what in (Labelled.FOUND, Labelled.MISSED, Labelled.FALSE_ALERT)
    )
    return _share(found, found + false_alert), _share(found, found + missed)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class Snapshot(msgspec.Struct):
    """The figures of a process at one moment, as stored in the table `meters`."""

    at: int  # ms
    pid: int
    host: str
    ends: dict[str, int]  # end state -> records
    alerts: int
    batches: int
    failed: int  # batches given back to be tried again
    latency: dict[int, int]  # bucket -> records
    cached: int  # entities in the state cache
    degraded: int = 0  # decisions by rules alone
    noted: dict[str, int] = {}  # as `records.Outcomes` has it
    labelled: dict[str, int] = {}  # of `Labelled`
    drift: dict[str, float] = {}  # feature -> population stability index, of the last window
    alarms: dict[str, str] = {}  # what is wrong with the predictions now -> a sentence
    revisions: dict[str, int] = {}  # rules, model -> the change that is in force here
    follows: str = ""  # the domain whose changes it follows
    refused: int = 0  # versions that could not be used
    fired: dict[str, int] = {}  # code of a reason -> decisions that have it
    spent: dict[str, int] = {}  # what on -> microseconds; see `Metrics.spent`
    sizes: dict[int, int] = {}  # upper bound of records, a power of two -> batches
    hits: int = 0  # states that were in the cache
    misses: int = 0
    resident: int = 0  # bytes in memory, of the process
    started: int = 0  # ms, when the process began
    skew: dict[str, int] = {}  # "compared", "differing": feature vectors computed again
    passes_on: bool = False  # a spout or a parse bolt: it decides nothing
    cpu: int = 0  # microseconds of processor time that the process took


class Stopwatch:
    """Where the time of a batch goes, by stage: from one `lap` to the next.

    Not for two threads at once. Without a clock it stands still: then nothing is measured.
    """

    def __init__(
        self, clock: Callable[[], int] = lambda: 0, spent: Counter[str] | None = None
    ) -> None:
        """`clock`: nanoseconds, that never go back. They are added to `spent`."""
        self._clock = clock
        self.spent: Counter[str] = Counter() if spent is None else spent
        self._at = 0

    def start(self) -> None:
        """The first stage begins now."""
        self._at = self._clock()

    def lap(self, stage: str) -> None:
        """What has passed since the last look at the clock was this stage; the next begins."""
        now = self._clock()
        self.spent[stage] += now - self._at
        self._at = now


class Metrics:
    """Counts of one process."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.latency: Counter[int] = Counter()
        self.noted: Counter[str] = Counter()
        self.drift: dict[str, float] = {}
        self.skew: dict[str, int] = {}
        self.alarms: dict[str, str] = {}
        self.labelled: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.revisions: dict[str, int] = {}
        self.follows = ""
        self.refused = 0
        self.alerts = self.batches = self.failed = self.degraded = 0
        self.spent: Counter[str] = Counter()
        """What on -> nanoseconds. `wait` for Storm's next message, `read` of messages, `decode` of
        payloads, `emit` of serialising and writing, `process` all else of a batch; a chain's
        steps (`score`, `store`) and `encode` of payloads are parts of `process`. Parts of `score`
        are `features` (states read, what is measured, states learned), `model`, `rules` (with
        thresholds, reasons and explanations) and `encode` of decisions and states; what is left
        of it is for states that are looked up. Of a spout: `poll` of the log, `encode`."""
        self.sizes: Counter[int] = Counter()

    def batch(
        self,
        ends: dict[str, int],
        alerts: int,
        timestamps: Sequence[int],
        now: int,
        degraded: int = 0,
        noted: Mapping[str, int] = MappingProxyType({}),
        fired: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """One committed batch: `timestamps` are the Kafka times of what it decided."""
        self.batches += 1
        self.alerts += alerts
        self.degraded += degraded
        self.ends.update(ends)
        self.noted.update({what: n for what, n in noted.items() if what in NOTES})
        for code, count in fired.items():
            if code in self.fired or len(self.fired) < CODES_MOST:
                self.fired[code] += count
        self.latency.update([bucket_of(now - t) for t in timestamps])

    def sized(self, records: int) -> None:
        """A batch of so many came."""
        self.sizes[1 << max(records - 1, 0).bit_length()] += 1

    def snapshot(
        self, now: int, pid: int, host: str, cached: int, seen: tuple[int, int] = (0, 0),
        resident: int = 0, started: int = 0, passes_on: bool = False, cpu: int = 0,
    ) -> Snapshot:  # fmt: skip
        """`seen`: states that were in the cache, and that were not. `cpu`: microseconds."""
        return Snapshot(
            now, pid, host, dict(self.ends), self.alerts, self.batches, self.failed,
            dict(self.latency), cached, self.degraded, dict(self.noted),
            dict(self.labelled), dict(self.drift), dict(self.alarms), dict(self.revisions),
            self.follows, self.refused, dict(self.fired),
            {what: ns // 1000 for what, ns in self.spent.items()}, dict(self.sizes), *seen,
            resident, started, dict(self.skew), passes_on, cpu,
        )  # fmt: skip


def quantiles(histograms: Iterable[dict[int, int]], at: Sequence[float]) -> list[int | None]:
    """Latencies, ms, below which each share of all records lies; None where there are none."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(histogram)
    count = sum(total.values())
    out: list[int | None] = []
    for share in at:
        seen, found = 0, None
        for bucket in sorted(total):
            seen += total[bucket]
            if total[bucket] > 0 and seen >= share * count:
                found = upper_edge(bucket)
                break
        out.append(found)
    return out


def since(now: dict[int, int], before: dict[int, int]) -> dict[int, int]:
    """What a cumulative histogram gained."""
    return {b: n - before.get(b, 0) for b, n in now.items() if n > before.get(b, 0)}
