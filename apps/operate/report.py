"""What a domain decided on one day (UTC, by Kafka's time): the figures of a report.

The table of decisions is read once, in one pass and with bounded memory: an hour, an outcome and a
hundredth of a score are counted, and the worst alerts kept.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

import msgspec

from apps.operate.ledger import topics
from stormwatch.archive import Archive
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Admin, StoredAside
from stormwatch.records import DecisionRow, day_of
from stormwatch.settings import Settings

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
WORST = 20
"""Alerts that are told."""
EXAMPLES = 3
"""Records of each code of those that were set aside."""


class Set(msgspec.Struct):
    """Records that were set aside with one code."""

    state: str
    code: str
    count: int = 0
    examples: list[tuple[str, str]] = []  # where it is, why


class Report(NamedTuple):
    """A day of a domain."""

    domain: str
    day: int  # since the epoch, UTC
    decided: int
    outcomes: dict[str, int]
    by_hour: list[tuple[int, int]]  # decisions and alerts of each hour
    scores: dict[int, int]  # in hundredths, of probabilities; in whole units, of lives
    degraded: int
    models: dict[str, int]  # version -> decisions
    rules: dict[str, int]
    worst: list[DecisionRow]  # most weighty first
    aside: list[Set]
    ledgers: list[TopicLedger]


class _Versions(msgspec.Struct):
    model: str = ""
    rules: str = ""
    degraded: bool = False


_versions = msgspec.json.Decoder(_Versions).decode


def report(
    settings: Settings, admin: Admin, archive: Archive, domain: str, day: int, names: list[str]
) -> Report:
    """The day's figures; `names`: the domain's topics. Raises InfrastructureError."""
    since = day * DAY_MS
    outcomes: Counter[str] = Counter()
    scores: Counter[int] = Counter()
    models: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    hours, alerts = [0] * 24, [0] * 24
    degraded = 0
    worst: list[tuple[float, int, DecisionRow]] = []
    order = count()
    for stored in archive.all_decisions(domain):
        row = stored.row
        if day_of(row.timestamp) != day:
            continue
        hour = (row.timestamp - since) // HOUR_MS
        hours[hour] += 1
        outcomes[row.outcome] += 1
        versions = _of(row)
        models[versions.model] += 1
        rules[versions.rules] += 1
        degraded += versions.degraded
        if row.score >= 0 and not versions.degraded:
            scores[round(row.score * 100) if domain != "maintenance" else round(row.score)] += 1
        if row.alert:
            alerts[hour] += 1
            bad = -row.score if _is_worse_below(domain, row) else row.score
            heapq.heappush(worst, (bad, next(order), row))
            if len(worst) > WORST:
                heapq.heappop(worst)
    there = [name for name in names if admin.describe(name) is not None]
    return Report(
        domain, day, sum(hours), dict(outcomes.most_common()),
        list(zip(hours, alerts, strict=True)), dict(sorted(scores.items())), degraded,
        dict(models.most_common()), dict(rules.most_common()),
        [row for _, _, row in sorted(worst, key=lambda one: -one[0])],
        _set_aside(archive.asides(domain), day), topics(settings, admin, archive, there),
    )  # fmt: skip


def _is_worse_below(domain: str, row: DecisionRow) -> bool:
    """Whether a lesser score is worse: cycles left, and the mood of a post that wants an answer."""
    return domain == "maintenance" or row.outcome == "needs_answer"


def _of(row: DecisionRow) -> _Versions:
    try:
        return _versions(bytes(row.body))
    except msgspec.MsgspecError:  # written by another version
        return _Versions("unknown", "unknown")


def _set_aside(asides: Iterable[StoredAside], day: int) -> list[Set]:
    found: dict[tuple[str, str], Set] = {}
    for aside in asides:
        at = day_of(aside.row.timestamp)
        if at < day:
            break  # newest day first
        if at > day:
            continue
        key = aside.row.state, aside.row.code
        one = found.setdefault(key, Set(*key))
        one.count += 1
        if len(one.examples) < EXAMPLES:
            place = f"{aside.topic}/{aside.partition}/{aside.row.offset}"
            why = aside.row.reason.strip().splitlines()
            one.examples.append((place, why[-1] if why else ""))
    return sorted(found.values(), key=lambda one: -one.count)
