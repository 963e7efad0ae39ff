"""What a soak came to: slopes, curves, verdict. Pure."""

from collections.abc import Sequence

import msgspec

from apps.prove.soak.samples import Sample, calm, lives
from apps.prove.soak.slopes import Slope, slope
from apps.prove.soak.svg import Curve, page

MB_AN_HOUR = 1.0
"""Growth of resident memory that is let pass."""
SETTLE = 0.25
"""Share of a soak that is left out of slopes: caches fill."""
JUDGED_S = 1800.0
"""A shorter soak shows slopes, but fails for none."""
FIELDS = {"own": "MB", "files": "handles", "threads": "threads"}


class SlopeVerdict(msgspec.Struct, frozen=True):
    """One component and one figure of it."""

    component: str
    figure: str
    slope: Slope
    holds: bool


class Report(msgspec.Struct, frozen=True):
    """As it is written to soak.json."""

    seed: int
    rate: float
    seconds: float
    published: int
    kills: int
    parts: list[str]  # of each uninterrupted part: what the oracle said
    p99_ms: list[int]  # median and greatest of the samples
    lag: list[int]
    heaps: dict[str, list[float]]  # JVM -> MB that lived in it, after a full collection, in order
    slopes: list[SlopeVerdict]
    holds: bool


def report(samples: Sequence[Sample], seed: int, rate: float, parts: list[str]) -> Report:
    """Verdicts over the calm samples but the first. A slope holds if its interval includes zero or
    less, or, for memory, if it is under 1 MB an hour."""
    last = samples[-1] if samples else Sample(0.0, [], 0)
    settled = [each for each in calm(samples) if each.at >= SETTLE * last.at]
    verdicts = [
        SlopeVerdict(
            name, figure, found, found.flat or (field == "own" and found.high < MB_AN_HOUR)
        )
        for field, figure in FIELDS.items()
        for name, curves in lives(settled, field).items()
        if (found := slope(curves))
    ]
    heaps: dict[str, list[float]] = {}
    for each in samples:
        for name, live in each.heaps.items():
            heaps.setdefault(name, []).append(round(live, 1))
    p99 = sorted(each.p99 for each in samples if each.p99 is not None)
    lag = sorted(each.lag for each in samples if each.lag is not None)
    return Report(
        seed, rate, last.at, last.published, last.kills, parts, _middle_and_most(p99),
        _middle_and_most(lag), heaps, verdicts,
        last.at < JUDGED_S or all(each.holds for each in verdicts),
    )  # fmt: skip


def curves(samples: Sequence[Sample], title: str) -> str:
    """All figures over time, as SVG."""
    panels: dict[str, dict[str, Sequence[Curve]]] = {}
    names = {
        "rss": "resident memory, MB",
        **FIELDS,
        "own": "of its own, MB",
        "data": "handles of data",
    }
    for field, name in names.items():
        panels[name] = dict(lives(samples, field, young=True))
    panels["latency, ms"] = {
        "p50": [[(s.at, float(s.p50)) for s in samples if s.p50 is not None]],
        "p99": [[(s.at, float(s.p99)) for s in samples if s.p99 is not None]],
    }
    panels["lag, records"] = {"lag": [[(s.at, float(s.lag)) for s in samples if s.lag is not None]]}
    return page(panels, title)


def _middle_and_most(ordered: Sequence[int]) -> list[int]:
    return [ordered[len(ordered) // 2], ordered[-1]] if ordered else []
