"""What labels say of scores: precision and recall, calibration, alerts a day at each threshold."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from apps.serve import answers
from apps.serve.kept import Kept
from apps.serve.reader import DAY_MS, Domain, Reader, known
from apps.serve.route import Route
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.domains.fraud.labels import OUTCOME as LABELLED
from stormwatch.records import Decision, DecisionKey
from stormwatch.state.decided import Entry

LOOKED, LABELS = 50_000, 5_000
"""Decisions, and labels among them, that one answer is of: the newest."""
POINTS, BINS = 60, 10
_AHEAD_MS = 60_000
_decision = msgspec.json.Decoder(Decision).decode


class OfDomain(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of curves."""

    domain: Domain
    days: Annotated[int, Meta(ge=1, le=7, description="Of Kafka's time, to look back.")] = 7


def route(reader: Reader) -> Route:
    """The route."""

    def found(asked: tuple[str, int]) -> answers.Curves:
        domain, days = asked
        until = now_ms() + _AHEAD_MS
        slots = reader.archive.decided(domain, until - days * DAY_MS, until)
        entries = list(islice((e for slot in slots for e in slot), LOOKED))
        return curves(domain, entries, _labels(reader, domain, entries))

    kept = Kept(found)

    def of(asked: OfDomain) -> answers.Curves:
        known(asked.domain)
        return kept.of((asked.domain, asked.days))

    says = f"What labels say of the scores of the newest {LOOKED:,} decisions."
    return Route("/v1/curves", OfDomain, answers.Curves, says, of)


def _labels(
    reader: Reader, domain: str, entries: Iterable[Entry]
) -> Iterator[tuple[str, str, int, bool]]:
    """Entity, id and event time of what was labelled; and whether it deserved an alert."""
    told = (e for e in entries if e.outcome == LABELLED)
    keys = [DecisionKey(e.stripe, e.entity, e.time, e.id) for e in islice(told, LABELS)]
    for row in reader.archive.find_decisions(domain, keys):
        learned = _decision(bytes(row.body)).learned
        if learned is not msgspec.UNSET:
            yield row.entity, learned.id, learned.time, learned.positive


def curves(
    domain: str, entries: Iterable[Entry], labels: Iterable[tuple[str, str, int, bool]]
) -> answers.Curves:
    """Of the entries that a model scored and labels can have come of."""
    said: dict[tuple[str, str], bool] = {}
    newest = 0
    for entity, name, time, positive in labels:
        said[entity, name] = positive
        newest = max(newest, time)
    judged = [
        (e.score, said.get((e.entity, e.id), False), e.time)
        for e in entries
        if e.outcome != LABELLED and e.score >= 0 and e.time <= newest
    ]
    positives = sum(positive for _, positive, _ in judged)
    if not positives:
        return answers.Curves(domain, len(judged), 0, 0, 0, [], [])
    scores = np.array([score for score, _, _ in judged])
    truth = np.array([positive for _, positive, _ in judged])
    times = [time for _, _, time in judged]
    days = max((max(times) - min(times)) / DAY_MS, 1e-3)
    return answers.Curves(
        domain, len(judged), positives, min(times), max(times),
        [
            answers.Threshold(
                round(float(score), 6), round(found / alerts, 6), round(found / positives, 6),
                round(alerts / days, 3),
            )
            for score, alerts, found in _steps(scores, truth)
        ],
        _bins(scores, truth),
    )  # fmt: skip


def _steps(scores: NDArray[Any], truth: NDArray[Any]) -> Iterator[tuple[float, int, int]]:
    """(score, alerts from it on, true ones among them), where another positive is found."""
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of equal scores
    gains = last[np.flatnonzero(np.diff(found[last], prepend=0))]
    for at in gains[np.unique(np.linspace(0, len(gains) - 1, POINTS).astype(int))].tolist():
        yield ranked[at], at + 1, int(found[at])


def _bins(scores: NDArray[Any], truth: NDArray[Any]) -> list[answers.Bin]:
    """By tenths of the score."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        answers.Bin(int(mine.sum()), round(float(scores[mine].mean()), 6),
                    round(float(truth[mine].mean()), 6))
        for each in range(BINS)
        if (mine := place == each).any()
    ]  # fmt: skip
